//! Why a run ends without an answer.

use std::error::Error;
use std::fmt;

use interactions_client::Error as ClientError;

use crate::{Limit, Outcome};

/// A run that ended without an answer.
///
/// Whatever was reached until then is in [`outcome`](Self::outcome).
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// A call to the service failed.
    #[non_exhaustive]
    Client {
        /// How.
        source: ClientError,
        /// What was reached before.
        outcome: Box<Outcome>,
    },
    /// The interaction failed; its `errors` say why.
    Failed(Box<Outcome>),
    /// Somebody cancelled the interaction.
    Cancelled(Box<Outcome>),
    /// A limit was reached.
    #[non_exhaustive]
    Limit {
        /// Which.
        limit: Limit,
        /// What was reached before.
        outcome: Box<Outcome>,
    },
    /// The run cannot go on for a reason that lies on this side: tools that cannot be had,
    /// a session that cannot be kept, a decision that fits no call, an answer of the wrong form.
    #[non_exhaustive]
    Setup {
        /// What is wrong, and what to do.
        message: String,
        /// What was reached before.
        outcome: Box<Outcome>,
    },
}

impl AgentError {
    pub(crate) fn setup(message: impl Into<String>, outcome: Outcome) -> Self {
        Self::Setup { message: message.into(), outcome: Box::new(outcome) }
    }

    /// What was reached before the run ended.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::Client { outcome, .. }
            | Self::Failed(outcome)
            | Self::Cancelled(outcome)
            | Self::Limit { outcome, .. }
            | Self::Setup { outcome, .. } => outcome,
        }
    }

    /// What went wrong, in a word for telemetry.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Client { .. } => "client",
            Self::Failed(_) => "failed",
            Self::Cancelled(_) => "cancelled",
            Self::Limit { .. } => "limit",
            Self::Setup { .. } => "setup",
        }
    }

    /// The same, with what the run before it has cost.
    pub(crate) fn with_earlier(mut self, before: &Outcome) -> Self {
        let (Self::Client { outcome, .. }
        | Self::Failed(outcome)
        | Self::Cancelled(outcome)
        | Self::Limit { outcome, .. }
        | Self::Setup { outcome, .. }) = &mut self;
        **outcome = std::mem::take(&mut **outcome).with_earlier(before);
        // What was left of a limit is not what somebody has set.
        if let Self::Limit { limit, .. } = &mut self {
            limit.add_back(before);
        }
        self
    }

    /// The limit that was reached, if it was one.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Self::Limit { limit, .. } => Some(limit),
            _ => None,
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { source, .. } => write!(f, "{source}"),
            Self::Failed(outcome) => {
                let errors = outcome.interaction.errors.as_deref().unwrap_or_default();
                match errors.last() {
                    Some(error) => {
                        write!(f, "the interaction {} failed: {error}", outcome.interaction.id)
                    }
                    None => write!(f, "the interaction {} failed", outcome.interaction.id),
                }
            }
            Self::Cancelled(outcome) => {
                write!(f, "the interaction {} was cancelled", outcome.interaction.id)
            }
            Self::Limit { limit, .. } => write!(f, "{limit}"),
            Self::Setup { message, .. } => f.write_str(message),
        }
    }
}

impl Error for AgentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Client { source, .. } => Some(source),
            _ => None,
        }
    }
}
