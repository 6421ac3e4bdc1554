//! What goes into the store and what comes out of it.

use std::fmt;
use std::time::Duration;

use super::{NewDelivery, StoreError};
use interactions_types::{ApiError, CreateInteraction, InteractionId, Status, Step, Usage};

/// How long a run waits beyond its lease after so many of its processes have died, in milliseconds:
/// nothing at first, then a second that doubles up to about four minutes.
#[must_use]
pub fn patience_after(crashes: u32) -> i64 {
    const FREE: u32 = 5;
    const DOUBLINGS: u32 = 8;
    match crashes.checked_sub(FREE) {
        None => 0,
        Some(more) => 1000 << more.min(DOUBLINGS),
    }
}

/// The right to run one interaction, held by one runner at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lease {
    /// The interaction.
    pub id: InteractionId,
    /// Who holds it.
    pub owner: String,
    /// Which try this is, from 1. A later attempt fences the earlier ones.
    pub attempt: u32,
}

impl Lease {
    /// The right to run `id` as try number `attempt`.
    #[must_use]
    pub fn new(id: InteractionId, owner: String, attempt: u32) -> Self {
        Self { id, owner, attempt }
    }
}

/// An interaction about to run.
#[derive(Clone)]
#[non_exhaustive]
pub struct NewInteraction {
    /// Its lease, attempt 1.
    pub lease: Lease,
    /// Whose it is.
    pub tenant: String,
    /// The request without secrets and without its input.
    pub request: CreateInteraction,
    /// Encrypted secrets of the request, if it has any.
    pub secrets: Option<Vec<u8>>,
    /// The input as steps.
    pub input: Vec<Step>,
    /// When it was created, in milliseconds since 1970.
    pub created: i64,
    /// When it may be erased.
    pub expires: Option<i64>,
    /// How long the lease holds from the moment of the write unless extended.
    pub lease_for: Duration,
}

impl NewInteraction {
    /// A new interaction without secrets or an end of its time.
    #[must_use]
    pub fn new(
        lease: Lease,
        tenant: String,
        request: CreateInteraction,
        input: Vec<Step>,
        created: i64,
        lease_for: Duration,
    ) -> Self {
        Self { lease, tenant, request, secrets: None, input, created, expires: None, lease_for }
    }
}

impl fmt::Debug for NewInteraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewInteraction")
            .field("lease", &self.lease)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// A stored interaction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Its id.
    pub id: InteractionId,
    /// The interaction that it continues.
    pub parent: Option<InteractionId>,
    /// Where it is in its life.
    pub status: Status,
    /// The request without secrets and without its input; empty once erased.
    pub request: CreateInteraction,
    /// The input as steps.
    pub input: Vec<Step>,
    /// The steps that the run made; empty while it runs.
    pub output: Vec<Step>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// Faults on the way.
    pub errors: Vec<ApiError>,
    /// The number of the last logged event.
    pub last_seq: u64,
    /// When it was created, in milliseconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Whether its content is gone.
    pub erased: bool,
}

/// What a list shows of an interaction. It can be read however large or damaged the content is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Its id.
    pub id: InteractionId,
    /// The interaction that it continues.
    pub parent: Option<InteractionId>,
    /// The model that was asked, if one was.
    pub model: Option<String>,
    /// The agent that was asked, if one was.
    pub agent: Option<String>,
    /// Where it is in its life.
    pub status: Status,
    /// When it was created, in milliseconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

/// One turn of a conversation's history.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Turn {
    /// The interaction.
    pub id: InteractionId,
    /// Where it is in its life.
    pub status: Status,
    /// Its input.
    pub input: Vec<Step>,
    /// Its output.
    pub output: Vec<Step>,
    /// Whether its content is gone.
    pub erased: bool,
}

/// The turns from a root to a head.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Chain {
    /// Oldest first; empty when the head does not exist.
    pub turns: Vec<Turn>,
    /// The ancestor that should follow but is not there, or lies deeper than asked for.
    pub missing: Option<InteractionId>,
}

/// An interaction taken over from a runner that is gone.
#[derive(Clone)]
#[non_exhaustive]
pub struct Claim {
    /// The new lease.
    pub lease: Lease,
    /// Whose it is.
    pub tenant: String,
    /// What is known of the interaction in any case.
    pub summary: Summary,
    /// The interaction; one that cannot be read must not keep others from being taken over.
    pub record: Result<Record, StoreError>,
    /// Encrypted secrets of the request.
    pub secrets: Option<Vec<u8>>,
    /// Where its generation can be taken up again, in its model's words.
    pub attachment: Option<String>,
    /// Whether it should be cancelled instead of run.
    pub cancel_requested: bool,
    /// How many earlier attempts ended without a word. Those that were handed back do not count.
    pub crashes: u32,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("lease", &self.lease)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// What a run has cost and met with so far, so that a later attempt can add to it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What it cost.
    pub usage: Option<Usage>,
    /// Faults on the way.
    pub errors: Vec<ApiError>,
    /// Where the generation can be taken up again, in its model's words.
    pub attachment: Option<String>,
}

impl Progress {
    /// A state of things.
    #[must_use]
    pub fn new(usage: Option<Usage>, errors: Vec<ApiError>) -> Self {
        Self { usage, errors, attachment: None }
    }

    /// With the place where the generation can be taken up again.
    #[must_use]
    pub fn attached(mut self, attachment: Option<String>) -> Self {
        self.attachment = attachment;
        self
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ending {
    /// The final status.
    pub status: Status,
    /// The steps that the run made.
    pub output: Vec<Step>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// Faults on the way.
    pub errors: Vec<ApiError>,
    /// When, in milliseconds since 1970.
    pub updated: i64,
    /// What webhooks are to be told of it.
    pub deliveries: Vec<NewDelivery>,
}

impl Ending {
    /// An end at a time, in milliseconds since 1970, with what the run has made.
    #[must_use]
    pub fn new(status: Status, output: Vec<Step>, updated: i64) -> Self {
        let (usage, errors, deliveries) = (None, Vec::new(), Vec::new());
        Self { status, output, usage, errors, updated, deliveries }
    }
}

/// One event as it was sent, in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedEvent {
    /// Its type, for the `event:` line.
    pub kind: String,
    /// Its JSON, event id included.
    pub json: String,
}

impl LoggedEvent {
    /// An event by its type and JSON.
    #[must_use]
    pub fn new(kind: impl Into<String>, json: impl Into<String>) -> Self {
        Self { kind: kind.into(), json: json.into() }
    }
}

/// Consecutive events that were committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The number of the first event, from 1.
    pub first_seq: u64,
    /// The events.
    pub events: Vec<LoggedEvent>,
}

impl Chunk {
    /// Events numbered from `first_seq`.
    #[must_use]
    pub fn new(first_seq: u64, events: Vec<LoggedEvent>) -> Self {
        Self { first_seq, events }
    }

    /// The number of the last event.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        (self.first_seq + self.events.len() as u64).saturating_sub(1)
    }

    /// One line per event. JSON text has no line breaks of its own.
    pub(super) fn to_payload(&self) -> String {
        let mut payload = String::with_capacity(
            self.events.iter().map(|e| e.kind.len() + e.json.len() + 2).sum(),
        );
        for event in &self.events {
            payload.push_str(&event.kind);
            payload.push(' ');
            payload.push_str(&event.json);
            payload.push('\n');
        }
        payload
    }

    pub(super) fn from_payload(first_seq: u64, payload: &str) -> Self {
        let events = payload
            .lines()
            .map(|line| {
                let (kind, json) = line.split_once(' ').unwrap_or(("", line));
                LoggedEvent::new(kind, json)
            })
            .collect();
        Self { first_seq, events }
    }
}

/// Which part of a list to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// At most this many.
    pub size: u32,
    /// Only those older than this one, given by creation time and id.
    pub before: Option<(i64, InteractionId)>,
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those of this model.
    pub model: Option<String>,
    /// Only those with all of these labels.
    pub labels: Vec<LabelFilter>,
    /// Only those created at this time or later, in milliseconds since 1970.
    pub created_from: Option<i64>,
    /// Only those created before this time.
    pub created_to: Option<i64>,
}

impl Page {
    /// The first page of a list without filters.
    #[must_use]
    pub fn of(size: u32) -> Self {
        Self { size, ..Self::default() }
    }
}

/// A label that interactions must have to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelFilter {
    /// Its key.
    pub key: String,
    /// Its value; any if absent.
    pub value: Option<String>,
}

impl LabelFilter {
    /// A label with this key, and with this value if there is one.
    #[must_use]
    pub fn new(key: impl Into<String>, value: Option<String>) -> Self {
        Self { key: key.into(), value }
    }
}
