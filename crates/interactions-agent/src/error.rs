//! Why a run ends without an answer.

use std::error::Error;
use std::fmt;

use interactions_client::Error as ClientError;

use crate::Outcome;

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
    /// The model still called tools when its turns were used up.
    TurnLimit(Box<Outcome>),
}

impl AgentError {
    /// What was reached before the run ended.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        match self {
            Self::Client { outcome, .. }
            | Self::Failed(outcome)
            | Self::Cancelled(outcome)
            | Self::TurnLimit(outcome) => outcome,
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
            Self::TurnLimit(outcome) => {
                write!(
                    f,
                    "the model still called tools after {} turns; raise max_turns or give it less to do",
                    outcome.turns
                )
            }
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
