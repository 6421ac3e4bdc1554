//! An interaction as it stands, as a task.

use interactions_types::{FunctionResult, Interaction, Status, Step};
use serde_json::{Value, json};

use crate::executor::interactions::output::{Teller, part};
use crate::executor::interactions::{Telling, without_input};
use crate::executor::{Update, Work};
use crate::updates::reduce;
use crate::wire::{
    self, Message, Metadata, Part, Role, Task, TaskState, TaskStatus, Timestamp, metadata,
};

/// The work that an interaction is for its task.
pub(super) fn work(id: &str, context: &str, number: usize) -> Work {
    Work { task_id: id.to_owned(), context_id: context.to_owned(), number, handle: id.to_owned() }
}

/// The task that an interaction is.
pub(super) fn task(interaction: Interaction, context: &str, telling: Telling) -> Task {
    let id = interaction.id.to_string();
    let time = interaction.updated.as_deref().or(interaction.created.as_deref());
    let timestamp = time.and_then(read_time).unwrap_or_else(wire::now);
    let is_queued = interaction.status == Status::Queued;
    let history = said(&interaction, context);
    let mut teller = Teller::new(&work(&id, context, 0), telling);
    let mut updates = teller.retell(&without_input(interaction));
    let last = updates.pop_if(|update| !matches!(update, Update::Artifact { .. })).map(settled);
    let mut status =
        TaskStatus { state: TaskState::Working, message: None, timestamp: Some(timestamp) };
    let mut facts = None;
    if let Some(Update::Status { state, message, metadata }) = last {
        (status.state, status.message, facts) = (state, message, metadata);
    }
    if is_queued {
        status.state = TaskState::Submitted;
    }
    let mut artifacts = Vec::new();
    reduce(&mut artifacts, updates);
    Task {
        id,
        context_id: context.to_owned(),
        status,
        artifacts: (!artifacts.is_empty()).then_some(artifacts),
        history: (!history.is_empty()).then_some(history),
        metadata: facts,
    }
}

/// The end of work that was cut and that nobody continues: what there is, is the answer.
pub(super) fn settled(update: Update) -> Update {
    let Update::Cut = update else { return update };
    let facts: Metadata = [(metadata::FINISH.to_owned(), json!("incomplete"))].into();
    Update::Status { state: TaskState::Completed, message: None, metadata: Some(facts) }
}

/// Leaves the last messages of the history, as many as are wanted.
pub(super) fn shorten(task: &mut Task, length: Option<usize>) {
    let (Some(length), Some(history)) = (length, &mut task.history) else { return };
    history.drain(..history.len().saturating_sub(length));
    if history.is_empty() {
        task.history = None;
    }
}

/// What was said to an interaction: the steps that come before its own.
fn said(interaction: &Interaction, context: &str) -> Vec<Message> {
    let id = interaction.id.as_str();
    let mut messages: Vec<Message> = Vec::new();
    let mut results = Vec::new();
    for step in &interaction.steps {
        match step {
            Step::UserInput(input) => {
                let parts: Vec<Part> = input.content.iter().filter_map(part).collect();
                messages.extend((!parts.is_empty()).then(|| Message::new(Role::User, parts)));
            }
            Step::FunctionResult(result) => results.extend(response(result)),
            _ => break,
        }
    }
    if !results.is_empty() {
        messages.push(Message::new(Role::User, results));
    }
    for (index, message) in messages.iter_mut().enumerate() {
        message.message_id = format!("{id}-input-{index}");
        message.task_id = Some(id.to_owned());
        message.context_id = Some(context.to_owned());
    }
    messages
}

/// The answer to a call, as it was sent.
fn response(result: &FunctionResult) -> Option<Part> {
    let name = if result.is_error == Some(true) { "error" } else { "response" };
    let output = serde_json::to_value(&result.result).ok()?;
    let mut part = Part::data(json!({"id": result.call_id, "name": result.name, name: output}));
    let kind = Value::from(metadata::FUNCTION_RESPONSE);
    part.metadata = Some(
        [metadata::ADK_TYPE, metadata::KIND].map(|name| (name.to_owned(), kind.clone())).into(),
    );
    Some(part.with_media_type("application/json"))
}

fn read_time(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Timestamp::from_timestamp_millis(time.timestamp_millis())
}
