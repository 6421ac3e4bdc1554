//! Errors of the server as a program, and refusals of requests.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use interactions_types::ApiError;

use crate::store::{StoreError, StoreErrorKind};

/// Why a server does not start. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(String);

impl StartError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for StartError {}

/// Why a server stopped serving although nobody asked it to.
#[derive(Debug)]
pub struct ServeError(pub(crate) std::io::Error);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server cannot accept connections: {}", self.0)
    }
}

impl Error for ServeError {}

/// A request that is not fulfilled: its HTTP status and the error that the caller gets.
///
/// The message is for the caller. What only the operator may know goes to the log instead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "failed_precondition", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
    }

    pub(crate) fn too_many(message: impl Into<String>, wait: Duration) -> Self {
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { retry_after: Some(wait), ..refusal }
    }

    pub(crate) fn api_error(&self) -> ApiError {
        ApiError::new().code(self.code).message(self.message.clone())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unavailable => {
                tracing::error!(%error, "the store is unavailable");
                Self {
                    retry_after: Some(Duration::from_secs(1)),
                    ..Self::unavailable("the store cannot work at the moment; try again")
                }
            }
            StoreErrorKind::Fenced => {
                Self::unavailable("the run has moved to another node; try again")
            }
            StoreErrorKind::Corrupt => {
                tracing::error!(%error, "the store holds something that cannot be understood");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "api_error",
                    "what is stored cannot be read",
                )
            }
        }
    }
}
