//! What other hosts send, brought into the form that the types read.
//!
//! The types are strict where hosts are not: a field that is `null`, a state of a later version or
//! a part of an unknown kind would cost the whole answer.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::error::{RemoteError, bounded};

const STATES: [&str; 9] = [
    "TASK_STATE_UNSPECIFIED",
    "TASK_STATE_SUBMITTED",
    "TASK_STATE_WORKING",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_CANCELED",
    "TASK_STATE_INPUT_REQUIRED",
    "TASK_STATE_REJECTED",
    "TASK_STATE_AUTH_REQUIRED",
];
const ROLES: [&str; 3] = ["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"];
/// The kinds of content that a part can have.
const CONTENTS: [&str; 4] = ["text", "raw", "url", "data"];
/// What belongs to whoever wrote it, and is left as it is.
const FREE: [&str; 3] = ["data", "metadata", "params"];

/// Reads a value as one of the protocol's types.
pub(super) fn read<T: DeserializeOwned>(mut value: Value, what: &str) -> Result<T, RemoteError> {
    loosen(&mut value);
    serde_path_to_error::deserialize(value).map_err(|error| {
        let why = bounded(&error.to_string(), 300);
        RemoteError::decode(format!("the agent's answer is no {what}: {why}"))
    })
}

/// Reads a task that stands alone.
pub(super) fn task<T: DeserializeOwned>(value: Value) -> Result<T, RemoteError> {
    let mut wrapped = Value::Object(Map::from_iter([("task".to_owned(), value)]));
    loosen(&mut wrapped);
    read(wrapped["task"].take(), "task")
}

fn loosen(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.retain(|_, value| !value.is_null());
    for (name, value) in fields.iter_mut() {
        if FREE.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Array(items) => {
                if name == "parts" {
                    items.retain(|part| CONTENTS.iter().any(|kind| part.get(kind).is_some()));
                    items.iter_mut().for_each(part);
                }
                items.iter_mut().for_each(loosen);
            }
            Value::Object(_) => loosen(value),
            _ => {}
        }
        match name.as_str() {
            "state" => choose(value, &STATES),
            "role" => choose(value, &ROLES),
            _ => {}
        }
        if let Value::Object(inner) = value {
            complete(name, inner);
        }
    }
    for (list, kind) in [("history", "message"), ("artifacts", "artifact")] {
        let items = fields.get_mut(list).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
            complete(kind, item);
        }
    }
}

/// Gives a message of a kind what the types demand and the protocol leaves out when it is empty.
fn complete(kind: &str, fields: &mut Map<String, Value>) {
    let wanted: &[(&str, Value)] = match kind {
        "task" => {
            &[("id", json!("")), ("contextId", json!("")), ("status", json!({"state": STATES[0]}))]
        }
        "message" => &[("messageId", json!("")), ("role", json!(ROLES[0])), ("parts", json!([]))],
        "artifact" => &[("artifactId", json!("")), ("parts", json!([]))],
        "status" => &[("state", json!(STATES[0]))],
        "statusUpdate" => &[
            ("taskId", json!("")),
            ("contextId", json!("")),
            ("status", json!({"state": STATES[0]})),
        ],
        "artifactUpdate" => &[("taskId", json!("")), ("contextId", json!(""))],
        _ => &[],
    };
    for (name, value) in wanted {
        if !fields.contains_key(*name) {
            fields.insert((*name).to_owned(), value.clone());
        }
    }
}

/// An enumeration by its name. What is not known is unspecified.
fn choose(value: &mut Value, names: &[&str]) {
    let known = match &*value {
        Value::String(name) => names.iter().find(|known| *known == name),
        Value::Number(number) => {
            number.as_u64().and_then(|at| names.get(usize::try_from(at).ok()?))
        }
        _ => None,
    };
    *value = json!(known.unwrap_or(&names[0]));
}

/// The part's bytes in the alphabet that the types read.
fn part(part: &mut Value) {
    let Some(Value::String(raw)) = part.get_mut("raw") else { return };
    if raw.contains(['-', '_']) {
        *raw = raw.replace('-', "+").replace('_', "/");
    }
    while raw.len() % 4 > 1 {
        raw.push('=');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{PartContent, SendMessageResponse, StreamResponse, Task, TaskState};

    #[test]
    fn nulls_numbers_and_news_do_not_cost_the_answer() {
        let odd = json!({"task": {
            "id": "t", "contextId": null, "metadata": {"kept": null},
            "status": {"state": 6, "message": {"role": "ROLE_AGENT", "parts": [{"text": "?"}]}},
            "artifacts": [{"artifactId": "a", "parts": [
                {"hologram": "new"}, {"raw": "_-8"}, {"data": {"kept": null, "state": "mine"}},
            ]}],
            "history": [{"parts": null}],
        }});
        let Ok(SendMessageResponse::Task(task)) = read(odd, "answer") else { panic!("a task") };
        assert_eq!(task.status.state, TaskState::InputRequired);
        let artifacts = task.artifacts.unwrap();
        let parts = &artifacts[0].parts;
        assert_eq!(parts[0].content, PartContent::Raw(vec![0xff, 0xef]));
        assert_eq!(parts[1].content, PartContent::Data(json!({"kept": null, "state": "mine"})));
        let later = json!({"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_NEW"}}});
        let Ok(StreamResponse::StatusUpdate(update)) = read(later, "event") else { panic!("one") };
        assert_eq!(update.status.state, TaskState::Unspecified);
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        for wrong in [json!(null), json!([]), json!({}), json!({"task": 5}), json!({"task": []})] {
            let error = read::<SendMessageResponse>(wrong, "answer").unwrap_err();
            assert!(error.to_string().contains("no answer"), "{error}");
        }
        assert_eq!(task::<Task>(json!({"id": "x"})).unwrap().id, "x");
        assert!(task::<Task>(json!("x")).is_err());
    }
}
