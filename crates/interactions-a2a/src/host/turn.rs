//! One turn of a task: what the executor is asked, and how it ends.

use crate::executor::{Turn, Update};
use crate::fault::{Fault, FaultKind};
use crate::task::{StatusRecord, TaskRecord};
use crate::wire::{Message, Part, Role, TaskState};

/// How a work ends.
pub(super) enum Ending {
    Cut,
    Status(Box<StatusRecord>),
    Lost(&'static str),
}

impl Ending {
    /// The end that an update is, if it is one.
    pub(super) fn of(update: Update) -> Option<Self> {
        let ends = update.ends();
        match update {
            Update::Cut => Some(Self::Cut),
            Update::Status { state, message, metadata } if ends => {
                let mut status = StatusRecord::new(state, message);
                status.metadata = metadata;
                Some(Self::Status(Box::new(status)))
            }
            _ => None,
        }
    }
}

/// What the executor is asked for a task's last turn.
pub(super) fn turn(task: &TaskRecord, head: Option<&str>, continues: bool, again: bool) -> Turn {
    let last = task.turns.len() - 1;
    // Turns without work have messages that nobody has worked on yet.
    let first = task.turns[..last]
        .iter()
        .rposition(|turn| !turn.handles.is_empty())
        .map_or(0, |worked| worked + 1);
    let own = task.last_handle();
    Turn {
        caller: task.scope.owner.clone(),
        task_id: task.id.clone(),
        context_id: task.context_id.clone(),
        messages: task.turns[first..].iter().map(|turn| turn.message.clone()).collect(),
        accepted_output_modes: task.turns[last].accepted_output_modes.clone(),
        previous: own.or(head).map(str::to_owned),
        answers: own.is_some() && !continues,
        continues,
        number: task.turns.iter().map(|turn| turn.handles.len()).sum(),
        again,
    }
}

/// How a turn ends that the executor does not take.
pub(super) fn refusal(task: &TaskRecord, turn: &Turn, fault: &Fault) -> StatusRecord {
    let by_caller = fault.kind() != FaultKind::Internal;
    let said = Part::text(fault.message());
    if by_caller && turn.answers && fault.kind() != FaultKind::UnsupportedOperation {
        // The question stands, so the caller may try another answer.
        let asked = task.turns.iter().rev().skip(1).find_map(|turn| turn.outcome.as_ref());
        let state = asked.map_or(TaskState::InputRequired, |asked| asked.state.clone());
        let parts = asked.and_then(|asked| asked.message.as_ref()).map(|asked| &asked.parts[..]);
        let parts = std::iter::once(said).chain(parts.unwrap_or_default().iter().cloned());
        let message = word(task, parts.collect());
        return StatusRecord::new(state, Some(message));
    }
    let state = if by_caller { TaskState::Rejected } else { TaskState::Failed };
    StatusRecord::new(state, Some(word(task, vec![said])))
}

/// Something that the host says about a task.
pub(super) fn word(task: &TaskRecord, parts: Vec<Part>) -> Message {
    Message {
        message_id: format!("{}-{}-host", task.id, task.turns.len()),
        context_id: Some(task.context_id.clone()),
        task_id: Some(task.id.clone()),
        ..Message::new(Role::Agent, parts)
    }
}
