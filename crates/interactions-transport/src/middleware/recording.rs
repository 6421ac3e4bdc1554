//! What a recording is: exchanges as lines of JSON.

use std::error::Error;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{TransportError, TransportErrorKind};

/// What stands in place of a secret.
pub(super) const REDACTED: &str = "REDACTED";

/// Recorded exchanges in the order in which their requests were sent.
///
/// As text it is one JSON object per line, and lines may stand in any order:
///
/// ```json
/// {"sequence":0,"request":{"method":"GET","address":"https://example.com","path":"/v1","query":"key=REDACTED","headers":[["accept","*/*"]],"body":[]},"response":{"status":200,"headers":[],"body":["one piece","another"],"end":"complete"}}
/// ```
///
/// Pieces of bodies are text where they are UTF-8 and `{"base64":"…"}` otherwise.
/// A response's `end` is `complete`, `dropped` (the caller stopped reading) or
/// `{"broken":{"kind":"interrupted","message":"…"}}`; an exchange without a response has
/// `"failure":{"kind":…,"message":…}` in its place.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub(super) exchanges: Vec<Exchange>,
}

impl Recording {
    /// Reads a recording from its text.
    ///
    /// # Errors
    /// [`RecordingError`] with the number of the line that is not an exchange.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut exchanges = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let exchange = serde_json::from_str(line).map_err(|error| RecordingError {
                what: format!("line {} is not an exchange: {error}", index + 1),
                source: Some(Box::new(error)),
            })?;
            exchanges.push(exchange);
        }
        Ok(Self::of(exchanges))
    }

    /// Reads a recording from a file.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be read or is not a recording.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| RecordingError {
            what: format!("could not read {}: {error}", path.display()),
            source: Some(Box::new(error)),
        })?;
        Self::parse(&text)
    }

    pub(super) fn of(mut exchanges: Vec<Exchange>) -> Self {
        exchanges.sort_by_key(|exchange| exchange.sequence);
        Self { exchanges }
    }

    /// How many exchanges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }
}

impl fmt::Display for Recording {
    /// Writes the text that [`parse`](Self::parse) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for exchange in &self.exchanges {
            writeln!(f, "{}", exchange.to_line().map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// A recording that could not be read or written.
#[derive(Debug)]
pub struct RecordingError {
    pub(super) what: String,
    pub(super) source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for RecordingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) sequence: u64,
    pub(super) request: Request,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Response>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<Failure>,
}

impl Exchange {
    pub(super) fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl fmt::Debug for Exchange {
    /// Bodies hold what people said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.request.method, self.request.path)
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) method: String,
    /// Scheme, host and port. For the reader: a replay may go anywhere.
    #[serde(default)]
    pub(super) address: String,
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<String>,
    #[serde(default)]
    pub(super) headers: Vec<(String, Piece)>,
    #[serde(default)]
    pub(super) body: Vec<Piece>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: Vec<(String, Piece)>,
    #[serde(default)]
    pub(super) body: Vec<Piece>,
    pub(super) end: End,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Complete,
    Dropped,
    Broken(Failure),
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Failure {
    kind: String,
    message: String,
}

impl Failure {
    pub(super) fn of(error: &TransportError) -> Self {
        Self { kind: error.kind().as_str().to_owned(), message: error.to_string() }
    }

    pub(super) fn error(&self) -> TransportError {
        let kind = TransportErrorKind::from_name(&self.kind).unwrap_or(TransportErrorKind::Other);
        TransportError::new(kind, format!("recorded: {}", self.message))
    }
}

/// Bytes as they were, readable where they are text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Piece {
    Text(String),
    Binary { base64: String },
}

impl Piece {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary { base64: BASE64.encode(bytes) },
        }
    }

    pub(super) fn bytes(&self) -> Result<Bytes, TransportError> {
        match self {
            Self::Text(text) => Ok(Bytes::from(text.clone())),
            Self::Binary { base64 } => BASE64.decode(base64).map(Bytes::from).map_err(|error| {
                TransportError::new(
                    TransportErrorKind::Request,
                    format!("in the recording: {error}"),
                )
            }),
        }
    }
}
