//! Where interactions live: one trait, implemented for SQLite.

mod agents;
mod keys;
mod record;
mod sqlite;
mod webhooks;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interactions_types::{InteractionId, Status};

pub use agents::{AgentRecord, AgentStore};
pub use keys::{KeyRecord, KeyStore, digest};
pub use record::{
    Chain, Chunk, Claim, Ending, LabelFilter, Lease, LoggedEvent, NewInteraction, Page, Progress,
    Record, Summary, Turn, patience_after,
};
pub use sqlite::SqliteStore;
pub use webhooks::{Busy, Delivery, NewDelivery, SigningKeyRecord, WebhookRecord, WebhookStore};

use crate::{Config, StartError};

/// Opens the store that a configuration names.
///
/// # Errors
/// [`StartError`] when none is named, or when it cannot be opened.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    Ok(Arc::new(SqliteStore::open(&config.database_file()?).await?))
}

/// Durable storage of interactions and their event logs.
///
/// Every write of a run is fenced by its [`Lease`]: a node that lost its lease can write nothing more.
/// Every read and write on behalf of a caller is scoped by the caller's tenant.
#[async_trait]
pub trait Store: AgentStore + KeyStore + WebhookStore + fmt::Debug + Send + Sync + 'static {
    /// Adds an interaction with its first events: running and leased to its creator,
    /// or over already when its end is known.
    async fn insert(
        &self,
        new: &NewInteraction,
        chunk: Option<&Chunk>,
        ending: Option<&Ending>,
    ) -> Result<(), StoreError>;

    /// Reads an interaction. Erased ones come as tombstones.
    async fn load(&self, tenant: &str, id: &InteractionId) -> Result<Option<Record>, StoreError>;

    /// Reads only where an interaction is in its life; `None` when there is none or it is erased.
    async fn status(&self, tenant: &str, id: &InteractionId) -> Result<Option<Status>, StoreError>;

    /// Reads the turns from `head` up to the root, at most `depth` of them.
    async fn chain(
        &self,
        tenant: &str,
        head: &InteractionId,
        depth: u32,
    ) -> Result<Chain, StoreError>;

    /// Adds events to the log of a running interaction, and what is known beside them by then.
    async fn append(
        &self,
        lease: &Lease,
        chunk: &Chunk,
        progress: Option<&Progress>,
    ) -> Result<(), StoreError>;

    /// Ends a running interaction: its last events, its result and its new status in one step.
    async fn finish(
        &self,
        lease: &Lease,
        chunk: Option<&Chunk>,
        ending: &Ending,
    ) -> Result<(), StoreError>;

    /// Reads logged events with numbers above `seq`, oldest first, about `limit` chunks of them.
    async fn events_after(
        &self,
        id: &InteractionId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, StoreError>;

    /// Asks the runner of an interaction to stop; false when it is not running.
    async fn request_cancel(&self, tenant: &str, id: &InteractionId) -> Result<bool, StoreError>;

    /// Extends leases until `lease_for` from the moment of the write, however long that had to wait.
    /// Returns which of them ask to be cancelled and which are lost.
    async fn heartbeat(
        &self,
        leases: &[Lease],
        lease_for: Duration,
    ) -> Result<Vec<(Lease, Beat)>, StoreError>;

    /// Takes over running interactions whose lease has run out, except those that `owner` itself runs:
    /// a heartbeat that comes late is no reason to begin them again.
    ///
    /// A run whose processes have died [often](patience_after) waits longer, as it may be the cause.
    async fn claim(
        &self,
        owner: &str,
        lease_for: Duration,
        running: &[InteractionId],
        limit: u32,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Gives up all leases of an owner, so that others can take over at once. This is no crash.
    async fn release(&self, owner: &str) -> Result<(), StoreError>;

    /// Gives up one lease, so that the run can be taken over at once. This is no crash.
    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Erases the content of an interaction; false when there is none.
    async fn erase(&self, tenant: &str, id: &InteractionId, now: i64) -> Result<bool, StoreError>;

    /// Lists interactions, newest first.
    async fn list(&self, tenant: &str, page: &Page) -> Result<Vec<Summary>, StoreError>;

    /// Erases interactions whose time is over; returns how many.
    async fn expire(&self, now: i64) -> Result<u64, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Closes the store after what is under way.
    async fn close(&self);
}

/// What a heartbeat learned about one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beat {
    /// The lease goes on.
    Held,
    /// The lease goes on and the run should stop.
    Cancel,
    /// Somebody else has it, or the interaction ended or was erased.
    Lost,
}

/// Why the store could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
}

/// What kind of trouble the store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The writer has lost its lease.
    Fenced,
    /// The store cannot work now: full, read-only, busy or unreachable. Later it may.
    Unavailable,
    /// What is stored cannot be understood.
    Corrupt,
}

impl StoreError {
    /// An error of a kind with its explanation.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {}
