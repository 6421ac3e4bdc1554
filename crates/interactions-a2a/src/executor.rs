//! Who does the work behind a task.
//!
//! The host knows tasks, callers and streams; an [`Executor`] knows how to work. The seam between
//! them is small: a message goes in, updates come out, and they can be replayed from their
//! beginning in any process, so that the host keeps no log of its own.

pub(crate) mod interactions;
mod logged;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::fault::Fault;
use crate::wire::{Artifact, Message, Metadata, TaskState};

pub use interactions::{Detail, InteractionsExecutor};
pub use logged::{Logged, Teller, Worker};

/// Does the work of tasks.
///
/// Work is found again by its handle: a text that [`begin`](Self::begin) gives and the host keeps.
/// What [`follow`](Self::follow) tells about a handle must be the same every time, so that streams
/// can be taken up after a restart of the host.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Looks at a message before there is a task for it.
    ///
    /// Only messages that begin a task are shown. By default every one becomes a task.
    ///
    /// # Errors
    /// A [`Fault`] refuses the message; no task is made.
    async fn receive(&self, _caller: &str, _message: &Message) -> Result<Reception, Fault> {
        Ok(Reception::Task)
    }

    /// Begins the work that messages ask for, and gives the handle to find it again.
    ///
    /// The host keeps the handle before it tells anybody about the work. When it could not (it
    /// died in between), the same turn is begun again, with [`Turn::again`] set.
    ///
    /// # Errors
    /// A [`Fault`] ends the task: as `REJECTED` when it is the message's doing, else as `FAILED`.
    ///
    /// # Cancellation
    /// The future is not dropped before it completes, except when the host shuts down.
    async fn begin(&self, turn: &Turn) -> Result<Begun, Fault>;

    /// What work has told after its first `after` updates, then live what it tells, to its end:
    /// an update that [ends](Update::ends) it. Between two updates a stream may fail; the host
    /// then asks again.
    fn follow(&self, work: &Work, after: usize) -> BoxStream<'static, Result<Update, Lost>>;

    /// What work has told by now, without waiting for more. Updates that later ones have made
    /// superfluous may be missing.
    ///
    /// # Errors
    /// [`Lost`] when the work cannot be asked at the moment, or is gone.
    async fn look(&self, work: &Work) -> Result<Vec<Update>, Lost>;

    /// Stops work. What it then tells at its end is up to it; usually `CANCELED`.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot be stopped.
    async fn cancel(&self, work: &Work) -> Result<(), Fault>;
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reception {
    /// A task.
    Task,
    /// An answer at once, without a task.
    Message(Message),
}

/// What came of beginning work.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Begun {
    /// Work, under this handle.
    Work(String),
    /// Nothing yet: the messages do not say enough, and this is what is missing. The task is
    /// `INPUT_REQUIRED`, and the next turn has these messages too.
    Asks(Box<Message>),
}

/// Messages, and where they stand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Turn {
    /// Who sent it.
    pub caller: String,
    /// The task that it begins or goes on with.
    pub task_id: String,
    /// The conversation that the task is in.
    pub context_id: String,
    /// The messages that no work was begun for yet, the oldest first. Never empty.
    pub messages: Vec<Message>,
    /// Media types that the caller can read; empty for any.
    pub accepted_output_modes: Vec<String>,
    /// The work that this goes on from: of the same task, or the last that the conversation
    /// has completed.
    pub previous: Option<String>,
    /// Whether the work before waits for these messages as its answer.
    pub answers: bool,
    /// Whether the work before was cut and is to be continued, without a new message.
    pub continues: bool,
    /// How many works the task had before this one.
    pub number: usize,
    /// Whether it may have been begun before, by a host that did not live to keep the handle.
    pub again: bool,
}

impl Turn {
    /// The texts of its messages, each on lines of its own.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        parts.filter_map(|part| part.as_text()).collect::<Vec<_>>().join("\n")
    }
}

/// Work that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// The task that it belongs to.
    pub task_id: String,
    /// The conversation that the task is in.
    pub context_id: String,
    /// How many works the task had before this one.
    pub number: usize,
    /// What [`Executor::begin`] gave.
    pub handle: String,
}

/// What work tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// The task's state, or a word about its progress.
    Status {
        /// The state.
        state: TaskState,
        /// What to say about it.
        message: Option<Message>,
        /// What else there is to know.
        metadata: Option<Metadata>,
    },
    /// A piece of a result.
    Artifact {
        /// The artifact, with the parts that this piece adds: never none.
        artifact: Artifact,
        /// Whether the parts follow those of pieces before.
        append: bool,
        /// Whether it is the last piece.
        last: bool,
    },
    /// The work was cut and wants to be [continued](Turn::continues).
    Cut,
}

impl Update {
    /// The task's state, without a word.
    #[must_use]
    pub fn status(state: TaskState) -> Self {
        Self::Status { state, message: None, metadata: None }
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn ends(&self) -> bool {
        match self {
            Self::Status { state, .. } => {
                crate::wire::is_terminal(state) || crate::wire::is_interrupted(state)
            }
            Self::Artifact { .. } => false,
            Self::Cut => true,
        }
    }
}

/// Why work cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// It cannot be asked at the moment; the text is for the log.
    Unreachable(String),
    /// It is not there any more; the text is for the log.
    Gone(String),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Gone(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Lost {}
