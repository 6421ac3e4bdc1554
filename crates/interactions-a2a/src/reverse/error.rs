//! What the endpoint refuses, in the protocol's terms.

use std::collections::HashMap;

use interactions_client::{Error, ErrorKind};
use serde_json::json;

use crate::fault::{Fault, FaultKind};
use crate::wire::{A2AError, FieldViolation, PROTOCOL_DOMAIN, TypedDetail};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A fault of our own.
pub(super) fn refusal(fault: &Fault) -> A2AError {
    let violations = fault.violations().iter().map(|violation| FieldViolation {
        field: violation.field.clone(),
        description: violation.description.clone(),
    });
    let violations: Vec<FieldViolation> = violations.collect();
    let mut details = vec![TypedDetail::error_info(fault.kind().reason(), PROTOCOL_DOMAIN, None)];
    if !violations.is_empty() {
        details.push(TypedDetail::bad_request(violations));
    }
    A2AError::new(fault.kind().code(), fault.message()).with_details(details)
}

/// An error of the endpoint, or of the way to it. `task` is what was asked for, if it was one.
pub(super) fn upstream(error: &Error, task: Option<&str>) -> A2AError {
    let is_unknown = error.status() == Some(404) || error.code() == Some("not_found");
    if let Some(id) = task.filter(|_| is_unknown && error.code() != Some("model_not_found")) {
        return with_facts(error, Fault::task_not_found(id).message(), FaultKind::TaskNotFound);
    }
    as_kind(error, kind(error))
}

/// The error as one of this kind.
pub(super) fn as_kind(error: &Error, kind: FaultKind) -> A2AError {
    with_facts(error, &error.to_string(), kind)
}

fn kind(error: &Error) -> FaultKind {
    match (error.status(), error.kind()) {
        // There is no model or agent of this name.
        (Some(400 | 404 | 413 | 415 | 422), _) | (_, ErrorKind::Request) => {
            FaultKind::InvalidParams
        }
        // The protocol has no code for credentials; it leaves them to HTTP.
        (Some(401 | 403), _) | (_, ErrorKind::Auth) => FaultKind::InvalidRequest,
        (Some(405 | 501), _) => FaultKind::UnsupportedOperation,
        (_, ErrorKind::Decode) => FaultKind::InvalidAgentResponse,
        _ => FaultKind::Internal,
    }
}

fn reason(error: &Error, kind: FaultKind) -> &'static str {
    match (error.status(), error.kind()) {
        (Some(401), _) | (_, ErrorKind::Auth) => "UNAUTHENTICATED",
        (Some(403), _) => "PERMISSION_DENIED",
        _ => kind.reason(),
    }
}

fn with_facts(error: &Error, message: &str, kind: FaultKind) -> A2AError {
    let wait = error.retry_after().map(|wait| wait.as_secs_f64());
    let facts = [
        ("httpStatus", error.status().map(|status| status.to_string())),
        ("code", error.code().map(str::to_owned)),
        ("requestId", error.request_id().map(str::to_owned)),
        ("retryAfter", wait.map(|seconds| seconds.to_string())),
    ];
    let facts: HashMap<String, String> =
        facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect();
    let reason = reason(error, kind);
    let facts = (!facts.is_empty()).then_some(facts);
    let mut details = vec![TypedDetail::error_info(reason, PROTOCOL_DOMAIN, facts)];
    if let Some(seconds) = wait {
        let delay = json!(format!("{seconds}s"));
        details.push(TypedDetail::new(RETRY_INFO, [("retryDelay".to_owned(), delay)].into()));
    }
    A2AError::new(kind.code(), message).with_details(details)
}
