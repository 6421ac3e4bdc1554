//! The card of a remote agent: fetched, verified, kept for a while.

use std::time::{Duration, Instant};

use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use serde_json::Value;
use url::Url;

use super::decode;
use super::error::{RemoteError, RemoteErrorKind, bounded};
use super::peer::Binding;
use super::place::Places;
use crate::card::CardVerifier;
use crate::jose;
use crate::wire::{AgentCapabilities, AgentInterface, AgentSkill};

const LIMIT: usize = 1024 * 1024;
const TIME: Duration = Duration::from_secs(20);
/// More skills than that would leave a model no room to think.
const SKILLS: usize = 128;

/// What a tool needs of a card. The rest, known or not, does not matter here.
#[derive(Clone, Debug)]
pub(super) struct RemoteCard {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) skills: Vec<AgentSkill>,
    pub(super) streaming: bool,
    pub(super) binding: Binding,
    pub(super) url: Url,
    pub(super) tenant: Option<String>,
}

/// A card as it was fetched last.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) card: RemoteCard,
    pub(super) at: Instant,
    etag: Option<HeaderValue>,
}

/// Fetches a card, unless it is as it was.
pub(super) async fn fetch(
    transport: &SharedTransport,
    url: &Url,
    headers: &HeaderMap,
    reading: &Reading<'_>,
    known: Option<&Fetched>,
) -> Result<Fetched, RemoteError> {
    reading.places.check(url)?;
    let mut request = Request::get(url.as_str()).header(ACCEPT, "application/json");
    if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let mut request = request
        .body(Body::empty())
        .map_err(|error| RemoteError::new(RemoteErrorKind::Setup, error.to_string()))?;
    request.headers_mut().extend(headers.clone());
    request.extensions_mut().insert(Timeouts::default().with_total(TIME));
    let response = transport.send(request).await?;
    let at = Instant::now();
    if let (StatusCode::NOT_MODIFIED, Some(known)) = (response.status(), known) {
        return Ok(Fetched { at, ..known.clone() });
    }
    if response.status() != StatusCode::OK {
        let status = response.status().as_u16();
        let why = match status {
            300..=399 => ", and is not followed elsewhere: use the address where the card is",
            401 | 403 => ": the agent wants credentials",
            _ => "",
        };
        let kind = match status {
            401 | 403 => RemoteErrorKind::Unauthorized,
            _ => RemoteErrorKind::Http(status),
        };
        return Err(RemoteError::new(
            kind,
            format!("there is no card at {url}: HTTP {status}{why}"),
        ));
    }
    let etag = response.headers().get(ETAG).cloned();
    let sent = response.into_body().collect(LIMIT).await?;
    Ok(Fetched { card: reading.read(url, &sent)?, at, etag })
}

/// How a card is read.
pub(super) struct Reading<'a> {
    pub(super) places: &'a Places,
    pub(super) verifier: Option<&'a CardVerifier>,
    pub(super) extensions: &'a [String],
}

impl Reading<'_> {
    fn read(&self, from: &Url, sent: &[u8]) -> Result<RemoteCard, RemoteError> {
        // Whoever signs and whoever reads must see the same, so nothing may be there twice.
        let card = jose::parse(sent).map_err(|why| {
            RemoteError::card(format!("what is at {from} is no card: {}", bounded(&why, 200)))
        })?;
        let card = match self.verifier {
            Some(verifier) => verifier.verify(&card)?.card().clone(),
            None => card,
        };
        let text = |name: &str| card.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, description) = (text("name").to_owned(), text("description").to_owned());
        if name.trim().is_empty() {
            return Err(RemoteError::card(format!(
                "what is at {from} is no card: it has no `name`"
            )));
        }
        let capabilities: AgentCapabilities = match card.get("capabilities") {
            Some(capabilities) => decode::read(capabilities.clone(), "list of capabilities")?,
            None => AgentCapabilities::default(),
        };
        for extension in capabilities.extensions.iter().flatten() {
            if extension.required == Some(true) && !self.extensions.contains(&extension.uri) {
                return Err(RemoteError::card(format!(
                    "`{}` demands the extension `{}`; if its calls are made that way, say so with `extension`",
                    bounded(&name, 60),
                    bounded(&extension.uri, 200)
                )));
            }
        }
        let (binding, interface) = interface(&card)?;
        let url = self.places.check_from(from, &interface.url)?;
        let listed = card.get("skills").and_then(Value::as_array).cloned().unwrap_or_default();
        // One that cannot be read does not cost the others.
        let skills: Vec<AgentSkill> =
            listed.into_iter().filter_map(|skill| decode::read(skill, "skill").ok()).collect();
        if skills.len() > SKILLS {
            let count = skills.len();
            return Err(RemoteError::card(format!(
                "the card has {count} skills, more than {SKILLS}"
            )));
        }
        let tenant = interface.tenant.filter(|tenant| !tenant.is_empty());
        let streaming = capabilities.streaming == Some(true);
        Ok(RemoteCard { name, description, skills, streaming, binding, url, tenant })
    }
}

/// The first interface that is spoken here; the card's order is the agent's preference.
fn interface(card: &Value) -> Result<(Binding, AgentInterface), RemoteError> {
    let Some(listed) = card.get("supportedInterfaces").and_then(Value::as_array) else {
        let old = card.get("url").is_some();
        let why = if old { ": it is one of protocol 0.3, and 1.0 is spoken here" } else { "" };
        return Err(RemoteError::card(format!("the card names no interfaces{why}")));
    };
    for listed in listed {
        let Ok(interface) = decode::read::<AgentInterface>(listed.clone(), "interface") else {
            continue;
        };
        let binding = match interface.protocol_binding.to_ascii_uppercase().as_str() {
            "JSONRPC" => Binding::JsonRpc,
            "HTTP+JSON" => Binding::HttpJson,
            _ => continue,
        };
        let version = &interface.protocol_version;
        if version == "1" || version.starts_with("1.") {
            return Ok((binding, interface));
        }
    }
    Err(RemoteError::card("the card has no interface with JSONRPC or HTTP+JSON in version 1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(card: &Value) -> Result<RemoteCard, RemoteError> {
        let places = Places::default();
        let reading = Reading { places: &places, verifier: None, extensions: &[] };
        let from = Url::parse("https://a.example/.well-known/agent-card.json").unwrap();
        reading.read(&from, card.to_string().as_bytes())
    }

    #[test]
    fn the_first_interface_that_is_spoken_counts() {
        let card = json!({"name": "A", "supportedInterfaces": [
            {"url": "https://a.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
            {"url": "https://a.example/old", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
            {"url": 7},
            {"url": "https://a.example/rest", "protocolBinding": "HTTP+JSON",
             "protocolVersion": "1.0", "tenant": "x"},
            {"url": "https://a.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        ], "skills": [{"id": "s", "name": "S", "description": "d", "tags": []}, {"id": 5}]});
        let read = read(&card).unwrap();
        assert_eq!((read.binding, read.url.path()), (Binding::HttpJson, "/rest"));
        assert_eq!((read.tenant.as_deref(), read.skills.len()), (Some("x"), 1));
    }

    #[test]
    fn what_cannot_be_called_is_said() {
        let at = |url: &str| json!([{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]);
        for (card, why) in [
            (json!([]), "no card"),
            (json!({"name": "A", "url": "https://a.example"}), "0.3"),
            (json!({"name": "A", "supportedInterfaces": []}), "no interface"),
            (json!({"supportedInterfaces": at("https://a.example/")}), "`name`"),
            (json!({"name": "A", "supportedInterfaces": at("https://b.example/")}), "allow_origin"),
            (json!({"name": "A", "supportedInterfaces": at("http://a.example/")}), "allow_origin"),
            (
                json!({"name": "A", "supportedInterfaces": at("https://a.example/"),
                    "capabilities": {"extensions": [{"uri": "urn:x", "required": true}]}}),
                "urn:x",
            ),
        ] {
            let error = read(&card).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
