//! A task as the host keeps it: what only the host knows, and nothing that can be derived.

use serde::{Deserialize, Serialize};

use crate::executor::Work;
use crate::wire::{self, Message, Metadata, TaskState, TaskStatus, Timestamp};

/// Whose task it is, and with which agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    /// The caller, as the authenticator names it.
    pub owner: String,
    /// The agent, by the route to it.
    pub agent: String,
}

impl Scope {
    /// The tasks of this caller with this agent.
    pub fn new(owner: impl Into<String>, agent: impl Into<String>) -> Self {
        Self { owner: owner.into(), agent: agent.into() }
    }
}

/// A task as it is stored.
///
/// Everything that the executor can tell again (artifacts, words on the way) is not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskRecord {
    /// The task's id, given by the host.
    pub id: String,
    /// Whose it is.
    pub scope: Scope,
    /// The conversation that it is in.
    pub context_id: String,
    /// Its state as everybody sees it.
    pub status: StatusRecord,
    /// What was said to it, and what came of it. Never empty.
    pub turns: Vec<TurnRecord>,
    /// Whether the id of its first message may begin other tasks too.
    #[serde(default)]
    pub repeatable: bool,
    /// Whether somebody has asked to stop it.
    pub cancelling: bool,
    /// What was sent with the task, under names of the caller.
    pub metadata: Option<Metadata>,
    /// When it was made.
    pub created: Timestamp,
    /// Grows with every change; a change of an older version is refused.
    pub version: u64,
}

/// One message to a task and the work that it caused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnRecord {
    /// The message as it came.
    pub message: Message,
    /// Media types that its sender can read; empty for any.
    pub accepted_output_modes: Vec<String>,
    /// The works, each a continuation of the one before; empty until the first is begun.
    pub handles: Vec<String>,
    /// How the turn ended.
    pub outcome: Option<StatusRecord>,
}

/// A state at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatusRecord {
    /// The state.
    pub state: TaskState,
    /// What was said about it.
    pub message: Option<Message>,
    /// What else there is to know.
    pub metadata: Option<Metadata>,
    /// Since when.
    pub timestamp: Timestamp,
}

impl StatusRecord {
    /// A state from now on.
    #[must_use]
    pub fn new(state: TaskState, message: Option<Message>) -> Self {
        Self { state, message, metadata: None, timestamp: wire::now() }
    }

    /// As it is sent.
    #[must_use]
    pub fn to_wire(&self) -> TaskStatus {
        TaskStatus {
            state: self.state.clone(),
            message: self.message.clone(),
            timestamp: Some(self.timestamp),
        }
    }
}

impl TurnRecord {
    /// A turn that has not begun.
    #[must_use]
    pub fn new(message: Message, accepted_output_modes: Vec<String>) -> Self {
        Self { message, accepted_output_modes, handles: Vec::new(), outcome: None }
    }
}

impl TaskRecord {
    /// A task that this message begins. Ids of task and context are put into the message.
    #[must_use]
    pub fn new(
        scope: Scope,
        context_id: impl Into<String>,
        mut message: Message,
        accepted_output_modes: Vec<String>,
    ) -> Self {
        let (id, context_id) = (uuid::Uuid::now_v7().to_string(), context_id.into());
        message.task_id = Some(id.clone());
        message.context_id = Some(context_id.clone());
        Self {
            id,
            scope,
            context_id,
            status: StatusRecord::new(TaskState::Submitted, None),
            turns: vec![TurnRecord::new(message, accepted_output_modes)],
            repeatable: false,
            cancelling: false,
            metadata: None,
            created: wire::now(),
            version: 0,
        }
    }

    /// Whether nothing happens to it any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        wire::is_terminal(&self.status.state)
    }

    /// Whether it waits for somebody outside.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        wire::is_interrupted(&self.status.state)
    }

    /// Whether something is or will be at work for it without another message.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_terminal() && !self.is_interrupted()
    }

    /// How many ends there are to hear of: one of each turn, and that of the task if it was
    /// stopped while it waited.
    #[must_use]
    pub(crate) fn places(&self) -> usize {
        let last = self.turns.last().and_then(|turn| turn.outcome.as_ref());
        let waited = last.is_some_and(|outcome| wire::is_interrupted(&outcome.state));
        self.turns.len() + usize::from(waited && self.is_terminal())
    }

    /// The works of a turn.
    #[must_use]
    pub fn works(&self, turn: usize) -> Vec<Work> {
        let before: usize = self.turns.iter().take(turn).map(|turn| turn.handles.len()).sum();
        let handles = self.turns.get(turn).map_or(&[][..], |turn| &turn.handles);
        let work = |(index, handle): (usize, &String)| Work {
            task_id: self.id.clone(),
            context_id: self.context_id.clone(),
            number: before + index,
            handle: handle.clone(),
        };
        handles.iter().enumerate().map(work).collect()
    }

    /// The last work that was begun for it.
    #[must_use]
    pub fn last_handle(&self) -> Option<&str> {
        self.turns.iter().rev().find_map(|turn| turn.handles.last()).map(String::as_str)
    }
}
