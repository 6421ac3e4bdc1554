//! Why a call failed, by phase.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use interactions_transport::pacing::retry_after;
use interactions_transport::{TransportError, TransportErrorKind};
use interactions_types::{ApiError, DecodeError, Interaction};
use serde_json::Value;

use crate::Checkpoint;

/// A call that failed.
///
/// Ask it: [`kind`](Self::kind) tells the phase, [`code`](Self::code) and [`status`](Self::status)
/// what the service said. The text is for people and may change.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    status: Option<StatusCode>,
    api: Option<ApiError>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    retries: u32,
    timed_out: bool,
    /// Whether a stream broke that might be taken up again.
    broken: bool,
    partial: Option<Box<Interaction>>,
    checkpoint: Option<Checkpoint>,
    excerpt: Option<String>,
    source: Option<TransportError>,
}

/// The phase in which a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was described wrongly. Nothing was sent.
    Config,
    /// There are no credentials to send. The service has seen nothing of the call.
    Auth,
    /// The call could not be made into a request. Nothing was sent.
    Request,
    /// No response arrived, or it broke off.
    Transport,
    /// The service answered with an error.
    Api,
    /// The response could not be understood.
    Decode,
    /// The stream ended before the interaction did.
    Stream,
    /// The call's own time limit ran out between two requests.
    Deadline,
    /// An automatic continuation broke off; see [`Error::checkpoint`].
    Continuation,
}

impl Error {
    /// The phase in which the call failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the service reported, in a response or an `error` event.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// The service's word for the error, for example `not_found`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.api()?.code.as_deref()
    }

    /// The HTTP status of an error response; absent for `error` events of a stream.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status.map(|status| status.as_u16())
    }

    /// How long the service asks to wait before another try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The service's name for the request, to quote in a report of the problem.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The beginning of a response that could not be understood.
    ///
    /// It is not in the error's text, since it may hold what people said, or secrets.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }

    /// How often the request was sent again before this error.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.0.retries
    }

    /// What had arrived of the interaction, when a stream or a continuation broke off.
    #[must_use]
    pub fn partial(&self) -> Option<&Interaction> {
        self.0.partial.as_deref()
    }

    /// Where an automatic continuation that broke off can be taken up again.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.0.checkpoint.as_ref()
    }

    /// Whether a time limit ran out, the call's or the transport's.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
            || self.kind() == ErrorKind::Deadline
            || self.transport_kind() == Some(TransportErrorKind::Timeout)
    }

    /// Whether the request left and nobody knows what became of it.
    ///
    /// An error that the service answered with is an answer, and false.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.transport_kind().is_some_and(TransportErrorKind::may_have_been_sent)
    }

    /// Whether the same call may succeed later: 408, 429, 5xx and failures of the connection.
    ///
    /// It says nothing about whether the first one was executed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let by_status = self.0.status.is_some_and(|status| {
            status.is_server_error()
                || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        });
        let by_transport = self.transport_kind().is_some_and(|kind| {
            !matches!(
                kind,
                TransportErrorKind::Refused
                    | TransportErrorKind::Request
                    | TransportErrorKind::TooLarge
            )
        });
        by_status || by_transport
    }

    fn transport_kind(&self) -> Option<TransportErrorKind> {
        self.0.source.as_ref().map(TransportError::kind)
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            status: None,
            api: None,
            retry_after: None,
            request_id: None,
            retries: 0,
            timed_out: false,
            broken: false,
            partial: None,
            checkpoint: None,
            excerpt: None,
            source: None,
        }))
    }

    pub(crate) fn auth(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Auth, message)
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Deadline, message)
    }

    pub(crate) fn after_retries(mut self, retries: u32) -> Self {
        if retries > 0 {
            self.0.retries = retries;
            let tries = retries + 1;
            self.0.message = format!("{} (after {tries} tries)", self.0.message);
        }
        self
    }

    pub(crate) fn with_partial(mut self, partial: Option<Interaction>) -> Self {
        self.0.partial = partial.map(Box::new).or(self.0.partial);
        self
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Request, message)
    }

    pub(crate) fn stream(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Stream, message)
    }

    pub(crate) fn decode_text(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    pub(crate) fn repeated_page() -> Self {
        Self::new(
            ErrorKind::Decode,
            "the service named a page twice as the next one, so the list would never end",
        )
    }

    /// A stream that ended before its interaction did.
    pub(crate) fn broken_off(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Stream, message);
        error.0.broken = true;
        error
    }

    pub(crate) fn is_a_break(&self) -> bool {
        self.0.broken
    }

    /// Says why a stream that broke was not taken up again.
    pub(crate) fn not_resumed(mut self, why: &Self) -> Self {
        self.0.message = format!("{}; it could not be resumed: {why}", self.0.message);
        self.0.timed_out |= why.is_timeout();
        self.0.status = self.0.status.or(why.0.status);
        self.0.retry_after = self.0.retry_after.or(why.0.retry_after);
        if self.0.api.is_none() {
            self.0.api.clone_from(&why.0.api);
        }
        if why.0.request_id.is_some() {
            self.0.request_id.clone_from(&why.0.request_id);
        }
        self
    }

    /// Says where a continuation can be taken up by hand.
    pub(crate) fn interrupted(mut self, checkpoint: Checkpoint) -> Self {
        self.0.timed_out = self.is_timeout();
        self.0.kind = ErrorKind::Continuation;
        self.0.message = format!(
            "the continuation was interrupted: {} (its checkpoint can be continued from)",
            self.0.message
        );
        self.0.checkpoint = Some(checkpoint);
        self
    }

    pub(crate) fn transport(source: TransportError) -> Self {
        let mut error = Self::new(ErrorKind::Transport, source.to_string());
        error.0.broken = matches!(
            source.kind(),
            TransportErrorKind::Interrupted
                | TransportErrorKind::Timeout
                | TransportErrorKind::Connect
                | TransportErrorKind::Other
        );
        error.0.source = Some(source);
        error
    }

    /// An `error` event.
    pub(crate) fn event(api: ApiError) -> Self {
        let mut error = Self::new(ErrorKind::Api, format!("the service reported an error: {api}"));
        error.0.api = Some(api);
        error
    }

    /// An error response.
    pub(crate) fn response(parts: &http::response::Parts, body: &[u8]) -> Self {
        let api = read_api_error(body);
        let mut error =
            Self::new(ErrorKind::Api, format!("the service answered {}: {api}", parts.status));
        error.0.status = Some(parts.status);
        error.0.retry_after = retry_after(&parts.headers);
        error.0.request_id = request_id(&parts.headers);
        if let Some(id) = &error.0.request_id {
            error.0.message = format!("{} (request {id})", error.0.message);
        }
        error.0.api = Some(api);
        error
    }

    pub(crate) fn decode(error: &DecodeError, body: &[u8]) -> Self {
        let mut error =
            Self::new(ErrorKind::Decode, format!("the response could not be understood: {error}"));
        error.0.excerpt = Some(beginning(&String::from_utf8_lossy(body)));
        error
    }

    /// Adds the service's name for the request, from the headers of its answer.
    pub(crate) fn of_request(self, headers: &HeaderMap) -> Self {
        self.named(&request_id(headers))
    }

    /// Adds the service's name for the request.
    pub(crate) fn named(mut self, request_id: &Option<String>) -> Self {
        if self.0.request_id.is_none() {
            self.0.request_id.clone_from(request_id);
        }
        self
    }
}

/// As much of a text as is worth showing.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 300;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The headers in which services and their front ends name a request.
const REQUEST_IDS: [&str; 4] =
    ["x-request-id", "x-goog-request-id", "request-id", "x-cloud-trace-context"];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let found = REQUEST_IDS.iter().find_map(|name| headers.get(*name)?.to_str().ok())?;
    (!found.is_empty()).then(|| found.to_owned())
}

/// Reads every form of error body that the service and its front ends send:
/// `{"error":{"code","message"}}` with a word or a number as code, the same in an array, or text.
fn read_api_error(body: &[u8]) -> ApiError {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        // Front ends answer with whole pages.
        let message = || ApiError::new().message(beginning(text));
        return if text.is_empty() { ApiError::new() } else { message() };
    };
    let value = match value {
        Value::Array(mut items) if !items.is_empty() => items.swap_remove(0),
        other => other,
    };
    let error = value.get("error").unwrap_or(&value);
    let mut api = ApiError::new();
    api.message = error.get("message").and_then(Value::as_str).map(str::to_owned);
    api.code = match (error.get("code"), error.get("status")) {
        (Some(Value::String(code)), _) => Some(code.clone()),
        (_, Some(Value::String(status))) => Some(status.to_lowercase()),
        (Some(code), _) => Some(code.to_string()),
        _ => None,
    };
    if api.code.is_none() && api.message.is_none() {
        api.message = Some(beginning(&value.to_string()));
    }
    api
}

impl fmt::Debug for Error {
    /// Names what arrived of an interaction, and leaves out what was said in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &inner.message)
            .field("status", &inner.status)
            .field("code", &self.code())
            .field("request_id", &inner.request_id)
            .field("partial", &inner.partial.as_ref().map(|partial| &partial.id))
            .field("checkpoint", &inner.checkpoint.is_some())
            .field("source", &inner.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_error_body() {
        for (body, code, message) in [
            (
                r#"{"error":{"code":"not_found","message":"no such"}}"#,
                Some("not_found"),
                Some("no such"),
            ),
            (
                r#"{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}"#,
                Some("not_found"),
                Some("m"),
            ),
            (
                r#"[{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}]"#,
                Some("not_found"),
                Some("m"),
            ),
            (r#"{"error":{"code":500,"message":"m"}}"#, Some("500"), Some("m")),
            ("upstream broke\n", None, Some("upstream broke")),
            ("", None, None),
        ] {
            let api = read_api_error(body.as_bytes());
            assert_eq!((api.code.as_deref(), api.message.as_deref()), (code, message), "{body}");
        }
    }
}
