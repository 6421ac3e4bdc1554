//! Protocol 0.3 for callers that have not moved on: requests become 1.0, answers become 0.3.
//!
//! The host knows 1.0 only. What is here works on JSON alone: a request without `A2A-Version`, or
//! with `0.3`, goes through [`request`] or [`rest`], and what the host answers goes back through
//! [`result`], [`event`], [`error`] or [`rest_error`]. 0.3 has two forms of JSON: the JSON-RPC
//! binding tells things apart by `kind`, the HTTP+JSON binding is the ProtoJSON of its own
//! `a2a.proto`, whose field names are neither those of JSON-RPC nor those of 1.0.
//!
//! What 1.0 has and 0.3 cannot say is left out: the media type and file name of texts and data,
//! and `referenceTaskIds` over HTTP+JSON. Where the two versions differ in meaning:
//!
//! * `blocking` that is absent waits over JSON-RPC, as the servers of 0.3 do; over HTTP+JSON an
//!   absent `bool` is `false`, and only an absent `configuration` waits.
//! * `historyLength` 0 means "all" in 0.3 and "none" in 1.0, so it is dropped.
//! * `pushNotificationConfig/get` needs no id in 0.3: the first one of the task is meant.

mod answer;
mod card;
mod fields;
mod params;
mod route;
#[cfg(test)]
mod tests;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::fault::{Fault, FaultKind};

pub(crate) use card::card;
pub(crate) use route::{Route, rest};

/// The name of the header that lists extensions in 0.3; later clients use that of 1.0.
pub(crate) const EXTENSIONS_HEADER: &str = "X-A2A-Extensions";

/// The form of the JSON in which a caller speaks 0.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// JSON-RPC: objects say their `kind`.
    JsonRpc,
    /// HTTP+JSON: the ProtoJSON of 0.3.
    Rest,
}

/// What a caller of 0.3 can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Send,
    Stream,
    Get,
    Cancel,
    Resubscribe,
    SetPush,
    GetPush,
    /// To get a push configuration without saying which.
    FirstPush,
    ListPush,
    DeletePush,
    ExtendedCard,
}

/// A request in 1.0's terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// What was asked for; [`result`] wants it back.
    pub(crate) operation: Operation,
    /// The `params` for [`Operation::method`], without a tenant.
    pub(crate) params: Value,
}

impl Operation {
    /// The operation with this JSON-RPC method in 0.3. No such name is a method of 1.0.
    pub(crate) fn named(method: &str) -> Option<Self> {
        Some(match method {
            "message/send" => Self::Send,
            "message/stream" => Self::Stream,
            "tasks/get" => Self::Get,
            "tasks/cancel" => Self::Cancel,
            "tasks/resubscribe" => Self::Resubscribe,
            "tasks/pushNotificationConfig/set" => Self::SetPush,
            "tasks/pushNotificationConfig/get" => Self::GetPush,
            "tasks/pushNotificationConfig/list" => Self::ListPush,
            "tasks/pushNotificationConfig/delete" => Self::DeletePush,
            "agent/getAuthenticatedExtendedCard" => Self::ExtendedCard,
            _ => return None,
        })
    }

    /// The JSON-RPC method in 1.0 that does it.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Send => "SendMessage",
            Self::Stream => "SendStreamingMessage",
            Self::Get => "GetTask",
            Self::Cancel => "CancelTask",
            Self::Resubscribe => "SubscribeToTask",
            Self::SetPush => "CreateTaskPushNotificationConfig",
            Self::GetPush => "GetTaskPushNotificationConfig",
            Self::FirstPush | Self::ListPush => "ListTaskPushNotificationConfigs",
            Self::DeletePush => "DeleteTaskPushNotificationConfig",
            Self::ExtendedCard => "GetExtendedAgentCard",
        }
    }
}

/// A JSON-RPC request of 0.3 in 1.0's terms. Absent `params` are `Value::Null`.
///
/// # Errors
///
/// `MethodNotFound` for a method that 0.3 does not have, `InvalidParams` with the field for a
/// shape that cannot be translated. What can be translated is not checked any further.
pub(crate) fn request(method: &str, params: Value) -> Result<Call, Fault> {
    let Some(operation) = Operation::named(method) else {
        let shown: String = method.chars().take(64).collect();
        let message = format!("A2A 0.3 has no method `{shown}`; for 1.0, send `A2A-Version: 1.0`");
        return Err(Fault::new(FaultKind::MethodNotFound, message));
    };
    params::call(operation, params)
}

/// What the host answered, as 0.3 has it: the `result` of JSON-RPC, or the body over HTTP.
///
/// # Errors
///
/// Only [`Operation::FirstPush`] can fail: the task has no push configuration.
pub(crate) fn result(binding: Binding, call: Operation, value: Value) -> Result<Value, Fault> {
    Ok(match call {
        Operation::Send | Operation::Stream | Operation::Resubscribe => event(binding, value),
        Operation::Get | Operation::Cancel => answer::task(binding, value),
        Operation::SetPush | Operation::GetPush => answer::push_of_task(binding, value),
        Operation::FirstPush => {
            let first = configs(value).into_iter().next();
            let missing = "the task has no push notification configuration";
            let first = first.ok_or_else(|| Fault::invalid("pushNotificationConfigId", missing))?;
            answer::push_of_task(binding, first)
        }
        Operation::ListPush => {
            let all = configs(value).into_iter();
            let all: Vec<Value> = all.map(|one| answer::push_of_task(binding, one)).collect();
            match binding {
                Binding::JsonRpc => Value::Array(all),
                Binding::Rest => json!({ "configs": all }),
            }
        }
        Operation::DeletePush => match binding {
            Binding::JsonRpc => Value::Null,
            Binding::Rest => Value::Object(Map::new()),
        },
        Operation::ExtendedCard => card(value),
    })
}

fn configs(mut list: Value) -> Vec<Value> {
    match list.get_mut("configs").map(Value::take) {
        Some(Value::Array(configs)) => configs,
        _ => Vec::new(),
    }
}

/// One event of a stream, or the answer to a message, as 0.3 has it.
///
/// `final` is set exactly when the state is terminal or interrupted; callers of 0.3 expect the
/// stream to end there.
pub(crate) fn event(binding: Binding, value: Value) -> Value {
    answer::event(binding, value)
}

/// The `error` of JSON-RPC. Codes that 0.3 does not know become those it does.
pub(crate) fn error(fault: &Fault) -> Value {
    let code = match fault.kind() {
        FaultKind::ExtensionSupportRequired | FaultKind::VersionNotSupported => {
            FaultKind::InvalidRequest.code()
        }
        known => known.code(),
    };
    let mut error = json!({ "code": code, "message": fault.message() });
    if !fault.violations().is_empty() {
        let violations = fault.violations().iter();
        error["data"] = violations
            .map(|one| json!({ "field": one.field, "description": one.description }))
            .collect();
    }
    error
}

/// The status and the body of an error over HTTP+JSON. The Python client of 0.3 sees nothing but
/// the status, so these are its own server's, which tell more errors apart than those of 1.0.
pub(crate) fn rest_error(fault: &Fault) -> (StatusCode, Value) {
    let status = match fault.kind() {
        FaultKind::TaskNotFound
        | FaultKind::MethodNotFound
        | FaultKind::ExtendedAgentCardNotConfigured => StatusCode::NOT_FOUND,
        FaultKind::TaskNotCancelable => StatusCode::CONFLICT,
        FaultKind::PushNotificationNotSupported | FaultKind::UnsupportedOperation => {
            StatusCode::NOT_IMPLEMENTED
        }
        FaultKind::ContentTypeNotSupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        FaultKind::InvalidAgentResponse => StatusCode::BAD_GATEWAY,
        FaultKind::InvalidParams => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        FaultKind::ExtensionSupportRequired
        | FaultKind::VersionNotSupported
        | FaultKind::Parse
        | FaultKind::InvalidRequest => StatusCode::BAD_REQUEST,
    };
    (status, error(fault))
}
