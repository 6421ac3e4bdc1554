//! What the host answers in 1.0, as 0.3 has it.
//!
//! Only fields that 0.3 knows are moved over: the Python client of 0.3 refuses others over
//! HTTP+JSON. What is not of 1.0's shape goes out as it is, for there is nobody left to tell.

use serde_json::{Map, Value, json};

use super::Binding;
use super::params::WRAPPED_DATA;

type Object = Map<String, Value>;

/// A task, a message or an update; over HTTP+JSON it stays in the field that says which.
pub(super) fn event(binding: Binding, value: Value) -> Value {
    let Value::Object(mut union) = value else { return value };
    let Some((name, inner)) = ["task", "message", "statusUpdate", "artifactUpdate"]
        .into_iter()
        .find_map(|name| Some((name, union.remove(name)?)))
    else {
        return Value::Object(union);
    };
    let inner = match name {
        "task" => task(binding, inner),
        "message" => message(binding, inner),
        "statusUpdate" => status_update(binding, inner),
        _ => artifact_update(binding, inner),
    };
    match binding {
        Binding::JsonRpc => inner,
        Binding::Rest => json!({ name: inner }),
    }
}

pub(super) fn task(binding: Binding, value: Value) -> Value {
    object(value, |mut task| {
        let mut to = kind(binding, "task");
        keep(&mut task, &["id"], &mut to);
        keep_context(&mut task, &mut to);
        to.insert("status".to_owned(), status(binding, task.remove("status")));
        keep_each(&mut task, "artifacts", |one| artifact(binding, one), &mut to);
        keep_each(&mut task, "history", |one| message(binding, one), &mut to);
        keep(&mut task, &["metadata"], &mut to);
        to
    })
}

/// A push configuration with its task.
pub(super) fn push_of_task(binding: Binding, value: Value) -> Value {
    object(value, |mut config| {
        let task = config.remove("taskId").unwrap_or_else(|| "".into());
        let mut to = Object::new();
        match binding {
            Binding::JsonRpc => {
                to.insert("taskId".to_owned(), task);
            }
            Binding::Rest => {
                let task = task.as_str().unwrap_or_default();
                let id = config.get("id").and_then(Value::as_str).unwrap_or_default();
                let name = format!("tasks/{task}/pushNotificationConfigs/{id}");
                to.insert("name".to_owned(), name.into());
            }
        }
        to.insert("pushNotificationConfig".to_owned(), push(config));
        to
    })
}

fn push(mut config: Object) -> Value {
    let mut to = Object::new();
    keep(&mut config, &["id", "url", "token"], &mut to);
    if let Some(Value::Object(mut authentication)) = config.remove("authentication") {
        let schemes: Vec<Value> = authentication.remove("scheme").into_iter().collect();
        let mut kept = Object::new();
        kept.insert("schemes".to_owned(), Value::Array(schemes));
        keep(&mut authentication, &["credentials"], &mut kept);
        to.insert("authentication".to_owned(), Value::Object(kept));
    }
    Value::Object(to)
}

fn status_update(binding: Binding, value: Value) -> Value {
    object(value, |mut update| {
        let mut to = kind(binding, "status-update");
        keep(&mut update, &["taskId"], &mut to);
        keep_context(&mut update, &mut to);
        let status = update.remove("status");
        let ends = status
            .as_ref()
            .and_then(|status| status.get("state")?.as_str())
            .is_some_and(|state| STATES.iter().any(|known| known.name == state && known.ends));
        to.insert("status".to_owned(), self::status(binding, status));
        to.insert("final".to_owned(), ends.into());
        keep(&mut update, &["metadata"], &mut to);
        to
    })
}

fn artifact_update(binding: Binding, value: Value) -> Value {
    object(value, |mut update| {
        let mut to = kind(binding, "artifact-update");
        keep(&mut update, &["taskId"], &mut to);
        keep_context(&mut update, &mut to);
        if let Some(artifact) = update.remove("artifact") {
            to.insert("artifact".to_owned(), self::artifact(binding, artifact));
        }
        keep(&mut update, &["append", "lastChunk", "metadata"], &mut to);
        to
    })
}

fn status(binding: Binding, value: Option<Value>) -> Value {
    let mut status = match value {
        Some(Value::Object(status)) => status,
        _ => Object::new(),
    };
    let mut to = Object::new();
    let state = status.remove("state");
    let state = state.as_ref().and_then(Value::as_str).unwrap_or_default();
    to.insert("state".to_owned(), self::state(binding, state).into());
    if let Some(message) = status.remove("message").filter(|message| !message.is_null()) {
        to.insert("message".to_owned(), self::message(binding, message));
    }
    keep(&mut status, &["timestamp"], &mut to);
    Value::Object(to)
}

/// A state of a task in both versions, and whether callers of 0.3 wait for nothing after it.
struct State {
    name: &'static str,
    legacy: &'static str,
    ends: bool,
}

const STATES: [State; 8] = [
    State { name: "TASK_STATE_SUBMITTED", legacy: "submitted", ends: false },
    State { name: "TASK_STATE_WORKING", legacy: "working", ends: false },
    State { name: "TASK_STATE_COMPLETED", legacy: "completed", ends: true },
    State { name: "TASK_STATE_FAILED", legacy: "failed", ends: true },
    State { name: "TASK_STATE_CANCELED", legacy: "canceled", ends: true },
    State { name: "TASK_STATE_REJECTED", legacy: "rejected", ends: true },
    State { name: "TASK_STATE_INPUT_REQUIRED", legacy: "input-required", ends: true },
    State { name: "TASK_STATE_AUTH_REQUIRED", legacy: "auth-required", ends: true },
];

fn state(binding: Binding, name: &str) -> &'static str {
    let known = STATES.iter().find(|known| known.name == name);
    match (binding, known) {
        (Binding::JsonRpc, Some(known)) => known.legacy,
        (Binding::JsonRpc, None) => "unknown",
        (Binding::Rest, Some(State { name: "TASK_STATE_CANCELED", .. })) => "TASK_STATE_CANCELLED",
        (Binding::Rest, Some(known)) => known.name,
        (Binding::Rest, None) => "TASK_STATE_UNSPECIFIED",
    }
}

pub(super) fn message(binding: Binding, value: Value) -> Value {
    object(value, |mut message| {
        let mut to = kind(binding, "message");
        keep(&mut message, &["messageId", "contextId", "taskId"], &mut to);
        let user = message.get("role").and_then(Value::as_str) == Some("ROLE_USER");
        let role = match (binding, user) {
            (Binding::JsonRpc, true) => "user",
            (Binding::JsonRpc, false) => "agent",
            (Binding::Rest, true) => "ROLE_USER",
            (Binding::Rest, false) => "ROLE_AGENT",
        };
        to.insert("role".to_owned(), role.into());
        let parts = parts(binding, message.remove("parts"));
        match binding {
            Binding::JsonRpc => {
                to.insert("parts".to_owned(), parts);
                keep(&mut message, &["referenceTaskIds"], &mut to);
            }
            Binding::Rest => {
                to.insert("content".to_owned(), parts);
            }
        }
        keep(&mut message, &["metadata", "extensions"], &mut to);
        to
    })
}

fn artifact(binding: Binding, value: Value) -> Value {
    object(value, |mut artifact| {
        let mut to = Object::new();
        keep(&mut artifact, &["artifactId", "name", "description"], &mut to);
        to.insert("parts".to_owned(), parts(binding, artifact.remove("parts")));
        keep(&mut artifact, &["metadata", "extensions"], &mut to);
        to
    })
}

fn parts(binding: Binding, value: Option<Value>) -> Value {
    match value {
        Some(Value::Array(parts)) => parts.into_iter().map(|one| part(binding, one)).collect(),
        _ => Value::Array(Vec::new()),
    }
}

fn part(binding: Binding, value: Value) -> Value {
    object(value, |mut part| {
        let mut to;
        if let Some(text) = part.remove("text") {
            to = kind(binding, "text");
            to.insert("text".to_owned(), text);
        } else if let Some(data) = part.remove("data") {
            to = kind(binding, "data");
            let data = wrapped(data, &mut part);
            let data = match binding {
                Binding::JsonRpc => data,
                Binding::Rest => json!({ "data": data }),
            };
            to.insert("data".to_owned(), data);
        } else {
            to = kind(binding, "file");
            to.insert("file".to_owned(), file(binding, &mut part));
        }
        keep(&mut part, &["metadata"], &mut to);
        to
    })
}

/// Data as an object, for 0.3 has no other; the metadata say when it was made one.
fn wrapped(data: Value, part: &mut Object) -> Value {
    if data.is_object() {
        return data;
    }
    let mut metadata = match part.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Object::new(),
    };
    metadata.insert(WRAPPED_DATA.to_owned(), true.into());
    part.insert("metadata".to_owned(), Value::Object(metadata));
    json!({ "value": data })
}

fn file(binding: Binding, part: &mut Object) -> Value {
    let (bytes, uri) = match binding {
        Binding::JsonRpc => ("bytes", "uri"),
        Binding::Rest => ("fileWithBytes", "fileWithUri"),
    };
    let names = [("raw", bytes), ("url", uri), ("mediaType", "mimeType"), ("filename", "name")];
    let mut to = Object::new();
    for (from, name) in names {
        if let Some(value) = part.remove(from).filter(|value| !value.is_null()) {
            to.insert(name.to_owned(), value);
        }
    }
    Value::Object(to)
}

fn object(value: Value, translate: impl FnOnce(Object) -> Object) -> Value {
    match value {
        Value::Object(map) => Value::Object(translate(map)),
        other => other,
    }
}

fn kind(binding: Binding, kind: &str) -> Object {
    let mut to = Object::new();
    if binding == Binding::JsonRpc {
        to.insert("kind".to_owned(), kind.into());
    }
    to
}

fn keep(from: &mut Object, names: &[&str], to: &mut Object) {
    for name in names {
        if let Some(value) = from.remove(*name).filter(|value| !value.is_null()) {
            to.insert((*name).to_owned(), value);
        }
    }
}

/// The context, which 0.3 demands of tasks and updates.
fn keep_context(from: &mut Object, to: &mut Object) {
    let context = from.remove("contextId").filter(|context| !context.is_null());
    to.insert("contextId".to_owned(), context.unwrap_or_else(|| "".into()));
}

fn keep_each(from: &mut Object, name: &str, each: impl Fn(Value) -> Value, to: &mut Object) {
    if let Some(Value::Array(list)) = from.remove(name) {
        to.insert(name.to_owned(), list.into_iter().map(each).collect());
    }
}
