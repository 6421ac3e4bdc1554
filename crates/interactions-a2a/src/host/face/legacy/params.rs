//! What 0.3 asks, in 1.0's terms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Binding, Call, Operation};
use crate::fault::Fault;

/// Says that `data` holds `{"value": …}` only because 0.3 wants an object there; the SDKs that
/// translate write it too.
pub(super) const WRAPPED_DATA: &str = "data_part_compat";

/// The `params` of a JSON-RPC method.
pub(super) fn call(operation: Operation, params: Value) -> Result<Call, Fault> {
    if operation == Operation::ExtendedCard {
        return Ok(Call { operation, params: json!({}) });
    }
    let mut fields = Fields::of(params, "")?;
    let mut operation = operation;
    let params = match operation {
        Operation::Send | Operation::Stream => send(Binding::JsonRpc, fields)?,
        Operation::Get => get(fields.id("id")?, fields.integer("historyLength")?),
        Operation::Cancel => {
            let mut to = Map::new();
            to.insert("id".to_owned(), fields.id("id")?.into());
            fields.keep(&["metadata"], &mut to);
            Value::Object(to)
        }
        Operation::Resubscribe => json!({ "id": fields.id("id")? }),
        Operation::SetPush => {
            let task = fields.id("taskId")?;
            let config = fields.object("pushNotificationConfig")?;
            push(Some(task), fields.needed("pushNotificationConfig", config)?)?
        }
        Operation::GetPush | Operation::FirstPush => {
            let task = fields.id("id")?;
            if fields.has("pushNotificationConfigId") {
                json!({ "taskId": task, "id": fields.id("pushNotificationConfigId")? })
            } else {
                operation = Operation::FirstPush;
                json!({ "taskId": task })
            }
        }
        Operation::ListPush => json!({ "taskId": fields.id("id")? }),
        Operation::DeletePush => {
            json!({ "taskId": fields.id("id")?, "id": fields.id("pushNotificationConfigId")? })
        }
        Operation::ExtendedCard => Value::Null,
    };
    Ok(Call { operation, params })
}

/// What is sent with a message.
pub(super) fn send(binding: Binding, mut fields: Fields) -> Result<Value, Fault> {
    let mut to = Map::new();
    // The field is `request` in the .proto and `message` in its JSON; parsers take both.
    let name = match binding {
        Binding::Rest if !fields.has("message") && fields.has("request") => "request",
        _ => "message",
    };
    let message = fields.object(name)?;
    let message = fields.needed(name, message)?;
    to.insert("message".to_owned(), self::message(binding, message)?);
    if let Some(configuration) = fields.object("configuration")? {
        to.insert("configuration".to_owned(), self::configuration(binding, configuration)?);
    }
    fields.keep(&["metadata"], &mut to);
    Ok(Value::Object(to))
}

/// Which task is meant, and how much of its history.
pub(super) fn get(id: String, history_length: Option<i64>) -> Value {
    let mut to = Map::new();
    to.insert("id".to_owned(), id.into());
    keep_history_length(history_length, &mut to);
    Value::Object(to)
}

/// A push configuration; 1.0 has the task in it and one scheme instead of a list.
pub(super) fn push(task: Option<String>, mut fields: Fields) -> Result<Value, Fault> {
    let mut to = Map::new();
    if let Some(task) = task {
        to.insert("taskId".to_owned(), task.into());
    }
    fields.keep(&["id", "url", "token"], &mut to);
    if let Some(mut authentication) = fields.object("authentication")? {
        let schemes = authentication.list("schemes")?.unwrap_or_default();
        let mut kept = Map::new();
        authentication.keep(&["credentials"], &mut kept);
        match schemes.into_iter().next() {
            // With several, the caller takes any: the first is as good as the others.
            Some(scheme) => {
                kept.insert("scheme".to_owned(), scheme);
                to.insert("authentication".to_owned(), Value::Object(kept));
            }
            None if kept.is_empty() => {}
            None => {
                let problem = "must name the scheme that the credentials are for";
                return Err(Fault::invalid(authentication.at("schemes"), problem));
            }
        }
    }
    Ok(Value::Object(to))
}

/// A message.
pub(super) fn message(binding: Binding, mut fields: Fields) -> Result<Value, Fault> {
    if let Some(kind) = fields.string("kind")?
        && kind != "message"
    {
        return Err(Fault::invalid(fields.at("kind"), "must be `message`"));
    }
    let mut to = Map::new();
    fields.keep(&["messageId", "contextId", "taskId"], &mut to);
    let role = fields.string("role")?;
    let role = match fields.needed("role", role)?.as_str() {
        "user" | "ROLE_USER" => "ROLE_USER",
        "agent" | "ROLE_AGENT" => "ROLE_AGENT",
        _ => return Err(Fault::invalid(fields.at("role"), "must be `user` or `agent`")),
    };
    to.insert("role".to_owned(), role.into());
    let name = match binding {
        Binding::JsonRpc => "parts",
        Binding::Rest => "content",
    };
    let parts = fields.list(name)?;
    let path = fields.at(name);
    let parts = fields.needed(name, parts)?.into_iter().enumerate();
    let parts = parts.map(|(index, part)| self::part(binding, part, format!("{path}[{index}]")));
    to.insert("parts".to_owned(), Value::Array(parts.collect::<Result<_, _>>()?));
    fields.keep(&["metadata", "extensions", "referenceTaskIds"], &mut to);
    Ok(Value::Object(to))
}

fn configuration(binding: Binding, mut fields: Fields) -> Result<Value, Fault> {
    let mut to = Map::new();
    fields.keep(&["acceptedOutputModes"], &mut to);
    let name = match binding {
        Binding::JsonRpc => "pushNotificationConfig",
        Binding::Rest => "pushNotification",
    };
    if let Some(config) = fields.object(name)? {
        to.insert("taskPushNotificationConfig".to_owned(), push(None, config)?);
    }
    keep_history_length(fields.integer("historyLength")?, &mut to);
    match (fields.flag("blocking")?, binding) {
        (Some(blocking), _) => {
            to.insert("returnImmediately".to_owned(), (!blocking).into());
        }
        (None, Binding::Rest) => {
            to.insert("returnImmediately".to_owned(), true.into());
        }
        (None, Binding::JsonRpc) => {}
    }
    Ok(Value::Object(to))
}

fn keep_history_length(length: Option<i64>, to: &mut Map<String, Value>) {
    if let Some(length) = length.filter(|length| *length != 0) {
        to.insert("historyLength".to_owned(), length.into());
    }
}

fn part(binding: Binding, value: Value, path: String) -> Result<Value, Fault> {
    const KINDS: [&str; 3] = ["text", "file", "data"];
    let mut fields = Fields::of(value, path)?;
    let said = match binding {
        Binding::JsonRpc => fields.string("kind")?,
        Binding::Rest => None,
    };
    let kind = match &said {
        Some(said) => KINDS.iter().find(|kind| **kind == said.as_str()),
        None => KINDS.iter().find(|kind| fields.has(kind)),
    };
    let Some(kind) = kind.copied() else {
        let (place, problem) = match said {
            Some(_) => (fields.at("kind"), "must be `text`, `file` or `data`"),
            None => (fields.path().to_owned(), "must have `text`, `file` or `data`"),
        };
        return Err(Fault::invalid(place, problem));
    };
    let mut to = Map::new();
    fields.keep(&["metadata"], &mut to);
    match kind {
        "text" => {
            let text = fields.string("text")?;
            to.insert("text".to_owned(), fields.needed("text", text)?.into());
        }
        "file" => {
            let file = fields.object("file")?;
            self::file(binding, fields.needed("file", file)?, &mut to)?;
        }
        _ => {
            let data = fields.object("data")?;
            let mut data = fields.needed("data", data)?;
            // ProtoJSON has a message around it.
            if binding == Binding::Rest {
                let inner = data.object("data")?;
                data = data.needed("data", inner)?;
            }
            let data = unwrapped(data, &mut to);
            to.insert("data".to_owned(), data);
        }
    }
    Ok(Value::Object(to))
}

/// The data without what only 0.3 needed around it.
fn unwrapped(mut data: Fields, part: &mut Map<String, Value>) -> Value {
    let Some(Value::Object(metadata)) = part.get_mut("metadata") else { return data.rest() };
    if metadata.get(WRAPPED_DATA) != Some(&Value::Bool(true)) {
        return data.rest();
    }
    metadata.remove(WRAPPED_DATA);
    if metadata.is_empty() {
        part.remove("metadata");
    }
    data.take("value").unwrap_or(Value::Null)
}

fn file(binding: Binding, mut fields: Fields, to: &mut Map<String, Value>) -> Result<(), Fault> {
    let (bytes, uri) = match binding {
        Binding::JsonRpc => ("bytes", "uri"),
        Binding::Rest => ("fileWithBytes", "fileWithUri"),
    };
    let media_type = fields.string("mimeType")?.filter(|kind| !kind.is_empty());
    match (fields.string(bytes)?, fields.string(uri)?) {
        (Some(mut raw), None) => {
            if binding == Binding::Rest
                && let Some(inner) = twice_encoded(&raw, media_type.as_deref())
            {
                raw = inner;
            }
            to.insert("raw".to_owned(), raw.into());
        }
        (None, Some(uri)) => {
            to.insert("url".to_owned(), uri.into());
        }
        _ => {
            let problem = format!("must have either `{bytes}` or `{uri}`");
            return Err(Fault::invalid(fields.path(), problem));
        }
    }
    if let Some(media_type) = media_type {
        to.insert("mediaType".to_owned(), media_type.into());
    }
    if let Some(name) = fields.string("name")?.filter(|name| !name.is_empty()) {
        to.insert("filename".to_owned(), name.into());
    }
    Ok(())
}

/// The Python client of 0.3 puts base64 into a field that ProtoJSON encodes again. For pictures
/// and the like, whose bytes are never base64 themselves, that can be told and undone.
fn twice_encoded(raw: &str, media_type: Option<&str>) -> Option<String> {
    let media_type = media_type?;
    let binary = ["image/", "audio/", "video/", "application/pdf"];
    if !binary.iter().any(|prefix| media_type.starts_with(prefix)) {
        return None;
    }
    let inner = String::from_utf8(STANDARD.decode(raw).ok()?).ok()?;
    STANDARD.decode(&inner).is_ok().then_some(inner)
}
