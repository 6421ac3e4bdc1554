//! Why a delivery is not to be believed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A delivery that was not verified. It shows neither secrets nor what would have been right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    message: String,
}

/// What is wrong with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// The secrets or the settings on our side cannot be used.
    Config,
    /// A header is missing.
    Missing,
    /// A header or a token cannot be read.
    Malformed,
    /// It is too old, or from the future.
    Expired,
    /// Nobody who may sign has signed it.
    Signature,
    /// It is signed, but for somebody else.
    Audience,
    /// The service's keys cannot be had at the moment. Answer 503, and it comes again.
    Keys,
}

impl VerifyError {
    pub(super) fn new(kind: VerifyErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn missing(header: &str) -> Self {
        Self::new(VerifyErrorKind::Missing, format!("the delivery has no header `{header}`"))
    }

    pub(super) fn malformed(what: &str, why: &str) -> Self {
        Self::new(VerifyErrorKind::Malformed, format!("`{what}` cannot be read: {why}"))
    }

    pub(super) fn expired(apart: Duration, ahead: bool) -> Self {
        let seconds = apart.as_secs();
        let message = if ahead {
            format!("the delivery is from {seconds} seconds in the future; compare the clocks")
        } else {
            format!("the delivery is {seconds} seconds old; compare the clocks")
        };
        Self::new(VerifyErrorKind::Expired, message)
    }

    pub(super) fn signature(message: impl Into<String>) -> Self {
        Self::new(VerifyErrorKind::Signature, message)
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> VerifyErrorKind {
        self.kind
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for VerifyError {}
