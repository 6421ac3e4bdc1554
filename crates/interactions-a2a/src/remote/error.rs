//! Why another agent could not be called.

use std::error::Error;
use std::fmt;

use interactions_transport::{TransportError, TransportErrorKind};

use crate::card::SignatureError;
use crate::fault::FaultKind;

/// A remote agent that cannot be called, or did not do what it was asked.
#[derive(Debug)]
pub struct RemoteError {
    kind: RemoteErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong with a remote agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteErrorKind {
    /// The tool is set up in a way that cannot work: an address, a header, an allowed place.
    Setup,
    /// An address that must not be reached: plain HTTP, a private network, another origin.
    Refused,
    /// What was received as a card is none, or one of an agent that cannot be called from here.
    Card,
    /// The card's signature does not hold.
    Signature,
    /// The agent could not be reached, or the connection broke.
    Transport,
    /// The agent wants to know who calls, or does not let this caller in.
    Unauthorized,
    /// The agent answered with this HTTP status, and no error of the protocol.
    Http(u16),
    /// The agent refused the request, in the protocol's terms.
    Fault(FaultKind),
    /// The answer is not what the protocol has.
    Decode,
    /// An answer is larger than it may be.
    TooLarge,
    /// The time for the call was over.
    Timeout,
    /// Agents have called agents too often.
    Depth,
    /// The task failed.
    Failed,
    /// The agent did not want to do the task.
    Rejected,
    /// Somebody has cancelled the task.
    Canceled,
}

impl RemoteError {
    pub(super) fn new(kind: RemoteErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(super) fn decode(message: impl Into<String>) -> Self {
        Self::new(RemoteErrorKind::Decode, message)
    }

    pub(super) fn card(message: impl Into<String>) -> Self {
        Self::new(RemoteErrorKind::Card, message)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> RemoteErrorKind {
        self.kind
    }

    /// Whether the connection is to blame, so that the task can be taken up again.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.kind, RemoteErrorKind::Transport | RemoteErrorKind::Http(500..=599 | 429))
    }
}

impl From<TransportError> for RemoteError {
    fn from(error: TransportError) -> Self {
        let kind = match error.kind() {
            TransportErrorKind::Refused => RemoteErrorKind::Refused,
            TransportErrorKind::Request => RemoteErrorKind::Setup,
            TransportErrorKind::TooLarge => RemoteErrorKind::TooLarge,
            _ => RemoteErrorKind::Transport,
        };
        let message = format!("the agent cannot be reached: {error}");
        Self { kind, message, source: Some(Box::new(error)) }
    }
}

impl From<SignatureError> for RemoteError {
    fn from(error: SignatureError) -> Self {
        let message = format!("the agent's card is not trusted: {error}");
        Self { kind: RemoteErrorKind::Signature, message, source: Some(Box::new(error)) }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A text of somebody else, at most this long.
pub(super) fn bounded(text: &str, characters: usize) -> String {
    let mut short: String = text.chars().take(characters).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
