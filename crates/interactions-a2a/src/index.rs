//! The index: what the host keeps of tasks, conversations and push configurations.
//!
//! It is small, since everything that the executor can tell again is not in it. Whoever wants
//! another database implements [`Index`]; `memory` is the one for tests, `sqlite` the durable one.

#[cfg(test)]
mod exam;
mod memory;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::task::{Scope, TaskRecord};
use crate::wire::{TaskState, Timestamp};

pub use memory::MemoryIndex;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteIndex;

/// Where a host keeps its tasks.
///
/// Every method is one atomic step: whatever happens, it was done whole or not at all.
#[async_trait]
pub trait Index: Send + Sync + fmt::Debug + 'static {
    /// Keeps a new task.
    ///
    /// A message id begins one task for its scope, however often it is sent: the task that it has
    /// begun before is given back instead. [Repeatable](TaskRecord::repeatable) tasks are the
    /// exception: they are always new.
    async fn insert(&self, task: &TaskRecord) -> Result<Inserted, IndexError>;

    /// The task with this id, if it is in the scope.
    async fn task(&self, scope: &Scope, id: &str) -> Result<Option<TaskRecord>, IndexError>;

    /// Replaces a task if its stored version is `task.version`, and adds one to the version.
    ///
    /// False when it has changed since, or is not there.
    async fn update(&self, task: &TaskRecord) -> Result<bool, IndexError>;

    /// Takes the turn of a conversation for this task, unless another of its tasks is `WORKING`
    /// or has waited for longer.
    ///
    /// A task that gets it is `WORKING` from then on (its version grows); one that had it keeps
    /// it. A task that is not `SUBMITTED` or `WORKING` does not get it.
    async fn claim(&self, scope: &Scope, id: &str) -> Result<Claim, IndexError>;

    /// The tasks of a conversation that wait for their turn, the oldest first.
    async fn waiting(&self, scope: &Scope, context_id: &str) -> Result<Vec<String>, IndexError>;

    /// All tasks that are [unfinished](TaskRecord::is_unfinished), of every scope, for a host
    /// that starts.
    async fn unfinished(&self) -> Result<Vec<TaskRecord>, IndexError>;

    /// Whether the scope has tasks in this conversation.
    async fn knows_context(&self, scope: &Scope, context_id: &str) -> Result<bool, IndexError>;

    /// Lists tasks, the one whose status is newest first (by id, descending, where that is equal).
    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, IndexError>;

    /// Keeps a push configuration, in place of the one with the same id.
    async fn put_push(&self, push: &PushRecord) -> Result<(), IndexError>;

    /// The push configurations of a task, by id.
    async fn pushes(&self, scope: &Scope, task_id: &str) -> Result<Vec<PushRecord>, IndexError>;

    /// Notes how far a push configuration was served; nothing if it is not there any more.
    async fn push_served(
        &self,
        scope: &Scope,
        task_id: &str,
        id: &str,
        position: Position,
    ) -> Result<(), IndexError>;

    /// Forgets a push configuration; false if there is none.
    async fn delete_push(&self, scope: &Scope, task_id: &str, id: &str)
    -> Result<bool, IndexError>;

    /// All push configurations of tasks of every scope that may not have been served to the end.
    async fn unserved_pushes(&self) -> Result<Vec<PushRecord>, IndexError>;

    /// Closes what is open.
    async fn close(&self) {}
}

/// What came of keeping a new task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Inserted {
    /// It is kept.
    New,
    /// Its message has begun this task before.
    Known(Box<TaskRecord>),
}

/// Whether a task may work.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Claim {
    /// It may, from the last work that the conversation has completed.
    Yes {
        /// The task as it is now.
        task: Box<TaskRecord>,
        /// The last handle of the task of this conversation that was completed last.
        head: Option<String>,
    },
    /// Not before another task of the conversation ends.
    Wait,
    /// It has ended, or is not there.
    No,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Only tasks of this conversation.
    pub context_id: Option<String>,
    /// Only tasks in this state.
    pub state: Option<TaskState>,
    /// Only tasks whose status is from this moment or later.
    pub changed_since: Option<Timestamp>,
    /// Only tasks behind this one, in the order of the list.
    pub after: Option<(Timestamp, String)>,
    /// How many at the most.
    pub limit: usize,
}

/// A page of tasks.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<TaskRecord>,
    /// How many there are in all, on every page.
    pub total: usize,
    /// Whether there are more behind these.
    pub more: bool,
}

/// A place in what a task has told: so many updates of that turn have been heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Position {
    /// The turn, from 0.
    pub turn: usize,
    /// How many updates of its works.
    pub updates: usize,
    /// Whether the turn's end was heard too.
    pub ended: bool,
}

/// A push configuration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PushRecord {
    /// Whose it is.
    pub scope: Scope,
    /// The task that it tells of.
    pub task_id: String,
    /// Its id, unique within the task.
    pub id: String,
    /// Where to send.
    pub url: String,
    /// Token and credentials, sealed.
    pub sealed: Vec<u8>,
    /// How far it was served.
    pub position: Position,
}

/// Why the index could not do something.
#[derive(Debug)]
pub struct IndexError(String);

impl IndexError {
    /// With what happened, for the log.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the index of tasks: {}", self.0)
    }
}

impl Error for IndexError {}
