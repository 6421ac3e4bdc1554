//! What a remote agent has brought, as a model is told.

use interactions_types::{Content, ToolOutput};
use serde_json::{Map, Value, json};

use super::error::bounded;
use crate::executor::interactions::input::content;
use crate::wire::{Message, Metadata, Part, PartContent, Task, metadata};

/// The texts of parts, thoughts left out.
pub(super) fn plain(parts: &[Part]) -> String {
    parts.iter().filter(|part| !is_thought(part)).filter_map(Part::as_text).collect()
}

/// What a task has brought: its artifacts, or else its last words.
pub(super) fn of_task(task: &Task) -> ToolOutput {
    let mut contents = Vec::new();
    for artifact in task.artifacts.iter().flatten() {
        contents.extend(of_parts(&artifact.parts));
    }
    if contents.is_empty() {
        let said = task.history.iter().flatten().rev();
        let said = task.status.message.iter().chain(said.filter(|one| is_agent(one)));
        contents =
            said.map(|one| of_parts(&one.parts)).find(|one| !one.is_empty()).unwrap_or_default();
    }
    joined(contents)
}

/// What a message says.
pub(super) fn of_message(message: &Message) -> ToolOutput {
    joined(of_parts(&message.parts))
}

/// The output with a line for the model at its end.
pub(super) fn with_note(output: ToolOutput, note: String) -> ToolOutput {
    let mut contents = match output {
        ToolOutput::Contents(contents) => contents,
        other => vec![Content::text(other.to_text())],
    };
    contents.push(Content::text(note));
    ToolOutput::Contents(contents)
}

fn is_agent(message: &Message) -> bool {
    message.role == crate::wire::Role::Agent
}

fn joined(mut contents: Vec<Content>) -> ToolOutput {
    match contents.as_mut_slice() {
        [] => ToolOutput::Text("The agent is done, and has said nothing.".to_owned()),
        [Content::Text(text)] => ToolOutput::Text(std::mem::take(&mut text.text)),
        _ => ToolOutput::Contents(contents),
    }
}

fn of_parts(parts: &[Part]) -> Vec<Content> {
    let mut contents: Vec<Content> = Vec::new();
    for part in parts.iter().filter(|part| !is_thought(part)) {
        match (contents.last_mut(), &part.content) {
            // A text that came in pieces is one text.
            (Some(Content::Text(text)), PartContent::Text(more)) if part.filename.is_none() => {
                text.text.push_str(more);
            }
            _ => contents.push(of_part(part)),
        }
    }
    contents.retain(|content| content.as_text() != Some(""));
    contents
}

fn of_part(part: &Part) -> Content {
    let name = part.filename.as_deref().unwrap_or("a file");
    let kind = part.media_type.as_deref().unwrap_or("unknown type");
    match &part.content {
        // Nobody here goes to an address only because an agent names it.
        PartContent::Url(url) => {
            Content::text(format!("[{} ({}): {url}]", bounded(name, 200), bounded(kind, 100)))
        }
        PartContent::Raw(bytes) => content(part).unwrap_or_else(|_| {
            let (name, kind) = (bounded(name, 200), bounded(kind, 100));
            Content::text(format!("[{name} ({kind}), {} bytes, cannot be shown]", bytes.len()))
        }),
        PartContent::Data(data) => Content::text(data.to_string()),
        PartContent::Text(_) => content(part).unwrap_or_else(Content::text),
    }
}

fn is_thought(part: &Part) -> bool {
    let says =
        |name: &str| part.metadata.as_ref().and_then(|all| all.get(name)) == Some(&json!(true));
    says(metadata::THOUGHT) || says(metadata::ADK_THOUGHT)
}

/// What a waiting task asks, in words.
pub(super) fn question(task: &Task) -> String {
    let parts = task.status.message.as_ref().map(|message| message.parts.as_slice());
    let parts = parts.unwrap_or_default();
    let text = plain(parts);
    let text = if text.trim().is_empty() {
        let data = parts.iter().filter_map(|part| match &part.content {
            PartContent::Data(data) => Some(data.to_string()),
            PartContent::Url(url) => Some(url.clone()),
            _ => None,
        });
        data.collect::<Vec<_>>().join("\n")
    } else {
        text
    };
    bounded(text.trim(), 4000)
}

/// The call that a task waits for, if it is exactly one: its answer names it.
pub(super) fn waiting_call(task: &Task) -> Option<Value> {
    let parts = task.status.message.iter().flat_map(|message| &message.parts);
    let mut calls = parts.filter_map(|part| {
        let PartContent::Data(Value::Object(data)) = &part.content else { return None };
        let kind = |name: &str| part.metadata.as_ref()?.get(name)?.as_str();
        let kind = kind(metadata::ADK_TYPE).or_else(|| kind(metadata::KIND));
        if kind != Some(metadata::FUNCTION_CALL) {
            return None;
        }
        Some(json!({"id": data.get("id")?, "name": data.get("name")?}))
    });
    calls.next().filter(|_| calls.next().is_none())
}

/// What a person has said, as an answer to a task that waits.
pub(super) fn answer(said: &Value, call: Option<&Value>) -> Part {
    let Some(call) = call else {
        return match said {
            Value::String(text) => Part::text(text.clone()),
            other => Part::data(other.clone()),
        };
    };
    let response = match said {
        Value::Object(fields) => fields.clone(),
        other => Map::from_iter([("result".to_owned(), other.clone())]),
    };
    let mut part = Part::data(json!({
        "id": call.get("id"), "name": call.get("name"), "response": response,
    }));
    part.metadata = Some(Metadata::from([
        (metadata::ADK_TYPE.to_owned(), json!(metadata::FUNCTION_RESPONSE)),
        (metadata::KIND.to_owned(), json!(metadata::FUNCTION_RESPONSE)),
    ]));
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Role, TaskState, TaskStatus};

    fn task(parts: Vec<Part>) -> Task {
        let message = Some(Message::new(Role::Agent, parts));
        let status = TaskStatus { state: TaskState::InputRequired, message, timestamp: None };
        let (id, context_id) = ("t".to_owned(), "c".to_owned());
        Task { id, context_id, status, artifacts: None, history: None, metadata: None }
    }

    #[test]
    fn pieces_of_a_text_are_one_and_media_stay_media() {
        let mut thought = Part::text("hm");
        thought.metadata = Some([(metadata::THOUGHT.to_owned(), json!(true))].into());
        let parts = [
            Part::text("Hel"),
            thought,
            Part::text("lo"),
            Part::raw(vec![1, 2]).with_media_type("image/png"),
            Part::raw(vec![1]).with_media_type("model/gltf"),
            Part::url("http://10.0.0.1/x.png").with_media_type("image/png"),
        ];
        let contents = of_parts(&parts);
        assert_eq!(contents[0].as_text(), Some("Hello"));
        assert!(
            matches!(&contents[1], Content::Image(image) if image.data.as_deref() == Some("AQI="))
        );
        assert!(contents[2].as_text().unwrap().contains("1 bytes"));
        assert!(contents[3].as_text().unwrap().contains("10.0.0.1"));
        assert_eq!(of_message(&Message::new(Role::Agent, vec![Part::text("x")])), "x".into());
    }

    #[test]
    fn a_call_that_waits_is_answered_by_its_name() {
        let call = interactions_types::FunctionCall::new("c1", "approve", Map::new());
        let asks = task(crate::executor::interactions::input::ask(&[call]));
        let waiting = waiting_call(&asks).unwrap();
        let part = answer(&json!("yes"), Some(&waiting));
        let PartContent::Data(data) = &part.content else { panic!("data") };
        assert_eq!(data["response"], json!({"result": "yes"}));
        assert_eq!(data["id"], "c1");
        let asks = task(vec![Part::text("Which city?")]);
        assert_eq!((question(&asks).as_str(), waiting_call(&asks)), ("Which city?", None));
        assert_eq!(answer(&json!("Rome"), None).as_text(), Some("Rome"));
    }
}
