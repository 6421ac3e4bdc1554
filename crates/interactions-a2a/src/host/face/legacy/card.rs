//! A card that serves callers of 1.0 and of 0.3 alike.

use serde_json::{Map, Value, json};

/// The version that the fields of 0.3 are of.
const VERSION: &str = "0.3.0";

/// A card of 1.0 with the fields of 0.3 beside its own. Callers of 1.0 read
/// `supportedInterfaces`, those of 0.3 the `url` at the top.
///
/// The interfaces for 0.3 are those whose `protocolVersion` is 0.3; when there is none, those of
/// 1.0 over JSON-RPC and HTTP+JSON that have no tenant, since 0.3 cannot name one. A card with
/// neither is returned as it is: it has nothing for callers of 0.3.
///
/// A scheme with nothing but a device code has no flow for callers of 0.3, but stays in the card,
/// as requirements may name it.
///
/// Signatures are not touched. They cover the fields of 1.0 alone, which stay what they were,
/// except that lists that 0.3 demands are there even when they are empty.
pub(crate) fn card(card: Value) -> Value {
    let Value::Object(mut card) = card else { return card };
    let mut interfaces = interfaces(&card).into_iter();
    let Some((url, transport)) = interfaces.next() else { return Value::Object(card) };
    let first = json!({ "url": url, "transport": transport });
    let others = interfaces.map(|(url, transport)| json!({ "url": url, "transport": transport }));
    let all: Vec<Value> = std::iter::once(first).chain(others).collect();
    card.insert("url".to_owned(), url.into());
    card.insert("preferredTransport".to_owned(), transport.into());
    card.insert("additionalInterfaces".to_owned(), Value::Array(all));
    card.insert("protocolVersion".to_owned(), VERSION.into());
    let extended = card.get("capabilities").and_then(|all| all.get("extendedAgentCard"));
    if let Some(extended) = extended.and_then(Value::as_bool) {
        card.insert("supportsAuthenticatedExtendedCard".to_owned(), extended.into());
    }
    card.entry("capabilities").or_insert_with(|| json!({}));
    for name in ["defaultInputModes", "defaultOutputModes", "skills"] {
        card.entry(name).or_insert_with(|| json!([]));
    }
    if let Some(Value::Object(schemes)) = card.get_mut("securitySchemes") {
        schemes.values_mut().for_each(add_legacy_scheme);
    }
    add_security(&mut card);
    if let Some(Value::Array(skills)) = card.get_mut("skills") {
        for skill in skills.iter_mut().filter_map(Value::as_object_mut) {
            add_security(skill);
            skill.entry("tags").or_insert_with(|| json!([]));
        }
    }
    Value::Object(card)
}

/// The addresses for callers of 0.3, the preferred one first, each with its transport.
fn interfaces(card: &Map<String, Value>) -> Vec<(String, String)> {
    let Some(Value::Array(all)) = card.get("supportedInterfaces") else { return Vec::new() };
    let text = |one: &Value, name: &str| one.get(name)?.as_str().map(str::to_owned);
    let those = |wanted: &dyn Fn(&Value) -> bool| -> Vec<(String, String)> {
        let wanted = all.iter().filter(|one| wanted(one));
        wanted.filter_map(|one| Some((text(one, "url")?, text(one, "protocolBinding")?))).collect()
    };
    let version = |one: &Value| text(one, "protocolVersion").unwrap_or_default();
    let legacy = those(&|one| version(one) == "0.3" || version(one).starts_with("0.3."));
    if !legacy.is_empty() {
        return legacy;
    }
    those(&|one| {
        let binding = text(one, "protocolBinding").unwrap_or_default();
        let tenant = text(one, "tenant").unwrap_or_default();
        tenant.is_empty() && matches!(binding.as_str(), "JSONRPC" | "HTTP+JSON")
    })
}

/// Puts the form of OpenAPI beside that of 1.0. The Python client of 1.0 reads the first when it
/// sees a `type`, so nothing that 1.0 has may be missing there.
fn add_legacy_scheme(scheme: &mut Value) {
    const TYPES: [(&str, &str); 5] = [
        ("apiKeySecurityScheme", "apiKey"),
        ("httpAuthSecurityScheme", "http"),
        ("oauth2SecurityScheme", "oauth2"),
        ("openIdConnectSecurityScheme", "openIdConnect"),
        ("mtlsSecurityScheme", "mutualTLS"),
    ];
    let Value::Object(scheme) = scheme else { return };
    let found = TYPES.iter().find_map(|(name, kind)| {
        let inner = scheme.get(*name)?.as_object()?;
        Some((*kind, inner.clone()))
    });
    let Some((kind, inner)) = found else { return };
    for (name, value) in inner {
        let name = if name == "location" { "in".to_owned() } else { name };
        scheme.insert(name, value);
    }
    scheme.insert("type".to_owned(), kind.into());
}

/// Puts `security` beside `securityRequirements`.
fn add_security(holder: &mut Map<String, Value>) {
    let Some(Value::Array(all)) = holder.get("securityRequirements") else { return };
    let scopes = |list: &Value| list.get("list").cloned().unwrap_or_else(|| json!([]));
    let all = all.iter().map(|one| {
        let schemes = one.get("schemes").and_then(Value::as_object);
        let schemes = schemes.into_iter().flatten();
        Value::Object(schemes.map(|(name, list)| (name.clone(), scopes(list))).collect())
    });
    let all: Value = all.collect();
    holder.insert("security".to_owned(), all);
}
