//! Cards of models and agents that are reached through the Interactions API.

use interactions_types::{CreateInteraction, Target, decode_value};
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::wire::{
    AgentCapabilities, AgentCard, AgentExtension, AgentInterface, AgentSkill, VERSION,
};

/// The name of the binding, and of the extension that has the request in its `params`.
pub const BINDING: &str = "https://generativelanguage.googleapis.com/v1beta/a2a";

/// The name of the binding on cards of protocol 0.3.
pub const ALIAS: &str = "interactions-api";

/// A card for a model or an agent, in the layout that Google's own sample has.
///
/// The request is what every interaction begins with: who answers, with which tools and settings.
/// It goes into the card as it is, secrets of its tools included. Its input is left out. The
/// address is that of the service, without a version.
#[must_use]
pub fn interactions_card(url: &str, request: &CreateInteraction) -> AgentCard {
    let mut request = request.clone();
    (request.input, request.stream) = (None, None);
    let name = match request.named_target() {
        Some(Target::Model(model)) => model.to_string(),
        Some(Target::Agent(agent)) => agent.to_string(),
        _ => String::new(),
    };
    let params = match serde_json::to_value(&request) {
        Ok(Value::Object(params)) => params.into_iter().collect(),
        _ => std::collections::HashMap::new(),
    };
    let modes = |modes: &[&str]| modes.iter().map(|&mode| mode.to_owned()).collect();
    let interface = |binding: &str| AgentInterface::new(url, binding);
    AgentCard {
        description: format!("{name}, through the Interactions API."),
        version: "v1beta".to_owned(),
        supported_interfaces: [BINDING, ALIAS].map(interface).into(),
        capabilities: AgentCapabilities {
            streaming: Some(true),
            push_notifications: Some(false),
            extensions: Some(vec![AgentExtension {
                uri: BINDING.to_owned(),
                description: Some("The request that interactions begin with.".to_owned()),
                required: Some(true),
                params: Some(params),
            }]),
            extended_agent_card: Some(false),
        },
        default_input_modes: modes(&[
            "text/plain",
            "application/json",
            "image/*",
            "audio/*",
            "video/*",
            "application/pdf",
        ]),
        default_output_modes: modes(&["text/plain", "application/json"]),
        skills: vec![skill(&name)],
        name,
        provider: None,
        documentation_url: None,
        icon_url: None,
        security_schemes: None,
        security_requirements: None,
        signatures: None,
    }
}

fn skill(name: &str) -> AgentSkill {
    let (id, description) = if name.starts_with("deep-research") {
        ("research", "Researches a question thoroughly and writes a report.")
    } else {
        ("interact", "Answers, and uses its tools for it.")
    };
    AgentSkill {
        id: id.to_owned(),
        name: id.to_owned(),
        description: description.to_owned(),
        tags: vec![id.to_owned()],
        examples: None,
        input_modes: None,
        output_modes: None,
        security_requirements: None,
    }
}

/// Reads a card of protocol 1.0, or one of 0.3 as Google's sample makes them.
///
/// Of a card of 0.3, its security schemes and signatures are left out: the first have another form
/// and are not used, the second would not fit any more.
///
/// # Errors
/// A [`Fault`] that says what is no card.
pub fn read_card(card: &Value) -> Result<AgentCard, Fault> {
    let Value::Object(fields) = card else {
        return Err(Fault::invalid("card", "a card is a JSON object"));
    };
    let mut fields = fields.clone();
    if !fields.contains_key("supportedInterfaces") {
        renew(&mut fields)?;
    }
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Fault::invalid("card", format!("it cannot be read: {error}")))
}

/// Puts the fields of 1.0 in place of those of 0.3.
fn renew(fields: &mut Map<String, Value>) -> Result<(), Fault> {
    let text = |from: &Map<String, Value>, name: &str| {
        from.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let Some(url) = text(fields, "url") else {
        let description = "it has neither `supportedInterfaces` (1.0) nor `url` (0.3)";
        return Err(Fault::invalid("card", description));
    };
    let version = text(fields, "protocolVersion").unwrap_or_else(|| "0.3.0".to_owned());
    let transport = text(fields, "preferredTransport").unwrap_or_else(|| "JSONRPC".to_owned());
    let mut interfaces = vec![(url, transport)];
    if let Some(Value::Array(others)) = fields.get("additionalInterfaces") {
        for other in others.iter().filter_map(Value::as_object) {
            interfaces.extend(text(other, "url").zip(text(other, "transport")));
        }
    }
    let mut seen = Vec::new();
    interfaces.retain(|one| {
        !seen.contains(one) && {
            seen.push(one.clone());
            true
        }
    });
    let interfaces = interfaces.into_iter().map(|(url, binding)| {
        // Of A2A there is nothing on this wire, so any version of it will do.
        let is_ours = binding == ALIAS || binding == BINDING;
        let version = if is_ours { VERSION } else { version.as_str() };
        json!({"url": url, "protocolBinding": binding, "protocolVersion": version})
    });
    let interfaces: Vec<Value> = interfaces.collect();
    fields.insert("supportedInterfaces".to_owned(), interfaces.into());
    for name in ["securitySchemes", "security", "signatures"] {
        fields.shift_remove(name);
    }
    Ok(())
}

/// The request that a card's interactions begin with.
///
/// # Errors
/// A [`Fault`] when the card has none, or one that nobody could answer.
pub fn base_request(card: &AgentCard) -> Result<CreateInteraction, Fault> {
    let place = "capabilities.extensions";
    let mut extensions = card.capabilities.extensions.iter().flatten();
    let Some(extension) = extensions.find(|extension| extension.uri == BINDING) else {
        return Err(Fault::invalid(place, format!("the extension `{BINDING}` is missing")));
    };
    let params = extension.params.clone().unwrap_or_default();
    let invalid = |description: String| Fault::invalid(format!("{place}[].params"), description);
    let request: CreateInteraction = decode_value(&Value::Object(params.into_iter().collect()))
        .map_err(|error| invalid(error.to_string()))?;
    if request.named_target().is_none() {
        return Err(invalid("it needs a `model` or an `agent`, one of them".to_owned()));
    }
    if !request.stores() {
        return Err(invalid("`store` is false, but tasks are stored interactions".to_owned()));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Google's sample writes it.
    fn legacy() -> Value {
        json!({
            "name": "Research", "description": "Researches.", "version": "v1beta",
            "protocolVersion": "0.3.0", "url": "https://generativelanguage.googleapis.com",
            "preferredTransport": "interactions-api",
            "additionalInterfaces": [
                {"url": "https://generativelanguage.googleapis.com",
                    "transport": "interactions-api"},
                {"url": "https://a.example/rpc", "transport": "JSONRPC"},
            ],
            "capabilities": {"streaming": true, "extensions": [{
                "uri": BINDING, "required": true,
                "params": {"agent": "deep-research-pro-preview-12-2025",
                    "agent_config": {"type": "deep-research", "thinking_summaries": "auto"},
                    "brand_new": [1]},
            }]},
            "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"}},
            "security": [{"key": []}],
            "skills": [{"id": "research", "name": "research", "description": "r", "tags": []}],
        })
    }

    #[test]
    fn cards_of_google_s_sample_are_read() {
        let card = read_card(&legacy()).unwrap();
        let shown: Vec<(&str, &str)> = card
            .supported_interfaces
            .iter()
            .map(|one| (one.protocol_binding.as_str(), one.protocol_version.as_str()))
            .collect();
        assert_eq!(shown, [(ALIAS, "1.0"), ("JSONRPC", "0.3.0")]);
        let request = serde_json::to_value(base_request(&card).unwrap()).unwrap();
        assert_eq!(request, legacy()["capabilities"]["extensions"][0]["params"]);
    }

    #[test]
    fn a_card_has_its_request_and_gives_it_back() {
        let request = CreateInteraction::new(Target::agent("deep-research-x"), "left out")
            .system_instruction("Be brief.");
        let card = interactions_card("https://h.example", &request);
        assert_eq!(card.skills[0].id, "research");
        let read = read_card(&serde_json::to_value(&card).unwrap()).unwrap();
        assert_eq!(read, card);
        let request = serde_json::to_value(base_request(&read).unwrap()).unwrap();
        assert_eq!(request, json!({"agent": "deep-research-x", "system_instruction": "Be brief."}));
        let extension = &card.capabilities.extensions.unwrap()[0];
        assert_eq!((extension.uri.as_str(), extension.required), (BINDING, Some(true)));
    }

    #[test]
    fn what_is_wrong_with_a_card_is_said() {
        let faulty = |params: Value| {
            let mut card = legacy();
            card["capabilities"]["extensions"][0]["params"] = params;
            base_request(&read_card(&card).unwrap()).unwrap_err().to_string()
        };
        assert!(faulty(json!({})).contains("`model` or an `agent`"));
        assert!(faulty(json!({"model": "m", "agent": "a"})).contains("one of them"));
        assert!(faulty(json!({"model": "m", "store": false})).contains("`store`"));
        assert!(faulty(json!({"model": 7})).contains("`model`"));
        let mut bare = legacy();
        bare["capabilities"]["extensions"] = json!([]);
        let missing = base_request(&read_card(&bare).unwrap()).unwrap_err().to_string();
        assert!(missing.contains(BINDING), "{missing}");
        for nonsense in [json!(1), json!({}), json!({"supportedInterfaces": []})] {
            read_card(&nonsense).unwrap_err();
        }
    }
}
