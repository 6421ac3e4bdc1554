//! Why a call failed, by phase.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use interactions_transport::{TransportError, TransportErrorKind};
use interactions_types::{ApiError, DecodeError};
use serde_json::Value;

/// A call that failed.
///
/// Ask it: [`kind`](Self::kind) tells the phase, [`code`](Self::code) and [`status`](Self::status)
/// what the service said. The text is for people and may change.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    status: Option<StatusCode>,
    api: Option<ApiError>,
    retry_after: Option<Duration>,
    source: Option<TransportError>,
}

/// The phase in which a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was described wrongly. Nothing was sent.
    Config,
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

    /// Whether a time limit of the call ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.transport_kind() == Some(TransportErrorKind::Timeout)
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
            source: None,
        }))
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

    pub(crate) fn transport(source: TransportError) -> Self {
        let mut error = Self::new(ErrorKind::Transport, source.to_string());
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
        error.0.retry_after = parts
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        error.0.api = Some(api);
        error
    }

    pub(crate) fn decode(error: &DecodeError, body: &[u8]) -> Self {
        const SHOWN: usize = 200;
        let excerpt = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned();
        let more = if body.len() > SHOWN { "…" } else { "" };
        Self::new(
            ErrorKind::Decode,
            format!("the response could not be understood: {error} (it begins: {excerpt}{more})"),
        )
    }
}

/// Reads every form of error body that the service and its front ends send:
/// `{"error":{"code","message"}}` with a word or a number as code, the same in an array, or text.
fn read_api_error(body: &[u8]) -> ApiError {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        return if text.is_empty() { ApiError::new() } else { ApiError::new().message(text) };
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
        api.message = Some(value.to_string());
    }
    api
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
