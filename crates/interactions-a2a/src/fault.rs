//! What can go wrong between two agents, as the protocol's table of errors (1.0.1) has it.

use std::error::Error;
use std::fmt;

/// A request that was not carried out, in the protocol's own terms.
///
/// The message goes to the caller: it says what was wrong and what to do, and nothing about the
/// inside of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    message: String,
    violations: Vec<Violation>,
}

/// A field of a request that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The field, by its path: `message.parts[0]`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// The kinds of errors that the protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// There is no such task for this caller.
    TaskNotFound,
    /// The task has ended and cannot be cancelled.
    TaskNotCancelable,
    /// The agent sends no push notifications.
    PushNotificationNotSupported,
    /// The agent, or the state of the task, does not allow this.
    UnsupportedOperation,
    /// The agent cannot read, or cannot write, this kind of content.
    ContentTypeNotSupported,
    /// The agent answered with something that is no answer.
    InvalidAgentResponse,
    /// There is no extended card, although the agent declares one.
    ExtendedAgentCardNotConfigured,
    /// The agent demands an extension that the request does not use.
    ExtensionSupportRequired,
    /// The agent does not speak this version.
    VersionNotSupported,
    /// The body is not JSON.
    Parse,
    /// The body is no request.
    InvalidRequest,
    /// There is no such method.
    MethodNotFound,
    /// A parameter cannot be as it is.
    InvalidParams,
    /// Something failed that is not the caller's doing.
    Internal,
}

impl FaultKind {
    /// The code in the JSON-RPC binding.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::TaskNotFound => -32001,
            Self::TaskNotCancelable => -32002,
            Self::PushNotificationNotSupported => -32003,
            Self::UnsupportedOperation => -32004,
            Self::ContentTypeNotSupported => -32005,
            Self::InvalidAgentResponse => -32006,
            Self::ExtendedAgentCardNotConfigured => -32007,
            Self::ExtensionSupportRequired => -32008,
            Self::VersionNotSupported => -32009,
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
        }
    }

    /// The kind with this JSON-RPC code; codes that the protocol does not know are
    /// [`Internal`](Self::Internal).
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        let known = ALL.iter().find(|kind| kind.code() == code);
        known.copied().unwrap_or(Self::Internal)
    }

    /// The kind with this [`reason`](Self::reason).
    #[must_use]
    pub fn from_reason(reason: &str) -> Option<Self> {
        ALL.iter().find(|kind| kind.reason() == reason).copied()
    }

    /// The status in the HTTP+JSON binding.
    #[must_use]
    pub fn http_status(self) -> http::StatusCode {
        match self {
            Self::TaskNotFound | Self::MethodNotFound => http::StatusCode::NOT_FOUND,
            Self::InvalidAgentResponse | Self::Internal => http::StatusCode::INTERNAL_SERVER_ERROR,
            _ => http::StatusCode::BAD_REQUEST,
        }
    }

    /// The name of the status in `google.rpc.Status`.
    #[must_use]
    pub fn rpc_status(self) -> &'static str {
        match self {
            Self::TaskNotFound | Self::MethodNotFound => "NOT_FOUND",
            Self::TaskNotCancelable
            | Self::PushNotificationNotSupported
            | Self::UnsupportedOperation
            | Self::ExtendedAgentCardNotConfigured
            | Self::ExtensionSupportRequired
            | Self::VersionNotSupported => "FAILED_PRECONDITION",
            Self::ContentTypeNotSupported
            | Self::Parse
            | Self::InvalidRequest
            | Self::InvalidParams => "INVALID_ARGUMENT",
            Self::InvalidAgentResponse | Self::Internal => "INTERNAL",
        }
    }

    /// The `reason` in `google.rpc.ErrorInfo`, by which clients tell errors apart.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TaskNotFound => "TASK_NOT_FOUND",
            Self::TaskNotCancelable => "TASK_NOT_CANCELABLE",
            Self::PushNotificationNotSupported => "PUSH_NOTIFICATION_NOT_SUPPORTED",
            Self::UnsupportedOperation => "UNSUPPORTED_OPERATION",
            Self::ContentTypeNotSupported => "CONTENT_TYPE_NOT_SUPPORTED",
            Self::InvalidAgentResponse => "INVALID_AGENT_RESPONSE",
            Self::ExtendedAgentCardNotConfigured => "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
            Self::ExtensionSupportRequired => "EXTENSION_SUPPORT_REQUIRED",
            Self::VersionNotSupported => "VERSION_NOT_SUPPORTED",
            Self::Parse => "PARSE_ERROR",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::MethodNotFound => "METHOD_NOT_FOUND",
            Self::InvalidParams => "INVALID_PARAMS",
            Self::Internal => "INTERNAL_ERROR",
        }
    }
}

const ALL: [FaultKind; 14] = [
    FaultKind::TaskNotFound,
    FaultKind::TaskNotCancelable,
    FaultKind::PushNotificationNotSupported,
    FaultKind::UnsupportedOperation,
    FaultKind::ContentTypeNotSupported,
    FaultKind::InvalidAgentResponse,
    FaultKind::ExtendedAgentCardNotConfigured,
    FaultKind::ExtensionSupportRequired,
    FaultKind::VersionNotSupported,
    FaultKind::Parse,
    FaultKind::InvalidRequest,
    FaultKind::MethodNotFound,
    FaultKind::InvalidParams,
    FaultKind::Internal,
];

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), violations: Vec::new() }
    }

    /// There is no such task for this caller.
    #[must_use]
    pub fn task_not_found(id: &str) -> Self {
        let shown: String = id.chars().take(64).collect();
        Self::new(FaultKind::TaskNotFound, format!("there is no task `{shown}`"))
    }

    /// The agent, or the state of the task, does not allow this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(FaultKind::UnsupportedOperation, message)
    }

    /// A field cannot be as it is.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let violation = Violation { field: field.into(), description: description.into() };
        let message = format!("`{}`: {}", violation.field, violation.description);
        Self { violations: vec![violation], ..Self::new(FaultKind::InvalidParams, message) }
    }

    /// Something failed that is not the caller's doing.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Internal, message)
    }

    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What to tell the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields that cannot be as they are.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_lead_back_to_their_kind() {
        for kind in ALL {
            assert_eq!(FaultKind::from_code(kind.code()), kind);
            assert_eq!(FaultKind::from_reason(kind.reason()), Some(kind));
        }
        assert_eq!(FaultKind::from_code(7), FaultKind::Internal);
    }
}
