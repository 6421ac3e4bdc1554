//! Why an MCP server could not be used.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use interactions_transport::{TransportError, TransportErrorKind};

use crate::McpQuestion;

/// An MCP server that could not be reached, or a request to it that failed.
///
/// A tool that ran and failed is not an error but a reply with
/// [`is_error`](crate::McpReply::is_error).
/// The text names the server and its address, without query, and says what to do.
#[derive(Debug)]
pub struct McpError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: McpErrorKind,
    server: Arc<str>,
    message: String,
    may_have_run: bool,
    status: Option<u16>,
    source: Option<TransportError>,
    question: Option<McpQuestion>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum McpErrorKind {
    /// The server was described wrongly. Nothing was sent.
    Endpoint,
    /// The server could not be reached, started or greeted.
    Connect,
    /// The egress guard refused the server's address. Nothing was sent.
    Refused,
    /// The server refused the credentials, or wants some (HTTP 401 or 403).
    Unauthorized,
    /// A time limit ran out.
    Timeout,
    /// The server answered with an error: an unknown tool or unfitting arguments, for example.
    ///
    /// A model can often do better when it is told.
    Rejected,
    /// The server answered with something that is not MCP, or with an HTTP failure.
    Protocol,
    /// A reply is larger than the limit.
    TooLarge,
    /// The tool asks a person before it goes on; [`McpError::asks`] says what.
    InputNeeded,
    /// The connection ended: the process exited, the session is gone, or it was shut down.
    Closed,
}

impl McpError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> McpErrorKind {
        self.0.kind
    }

    /// Whether a tool call that failed so may have run, or may still be running.
    ///
    /// When it may, repeat it only if its tool is read-only or idempotent.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.0.may_have_run
    }

    /// The HTTP status, when the failure is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the tool asks a person.
    #[must_use]
    pub fn asks(&self) -> Option<&McpQuestion> {
        self.0.question.as_ref()
    }

    pub(crate) fn asking(server: &Arc<str>, question: McpQuestion) -> Self {
        let message = format!("the tool asks: {}", question.message);
        let mut error = Self::new(McpErrorKind::InputNeeded, server, message);
        error.0.question = Some(question);
        error
    }

    /// What happened, without naming the server: fit for a model or a user who must not learn
    /// its address.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// An error of which it is certain that nothing ran, unless its kind says otherwise.
    pub(crate) fn new(kind: McpErrorKind, server: &Arc<str>, message: impl Into<String>) -> Self {
        let may_have_run = matches!(
            kind,
            McpErrorKind::Timeout
                | McpErrorKind::Protocol
                | McpErrorKind::TooLarge
                | McpErrorKind::Closed
        );
        Self(Box::new(Inner {
            kind,
            server: Arc::clone(server),
            message: message.into(),
            may_have_run,
            status: None,
            source: None,
            question: None,
        }))
    }

    pub(crate) fn transport(server: &Arc<str>, source: TransportError) -> Self {
        let kind = match source.kind() {
            TransportErrorKind::Refused => McpErrorKind::Refused,
            TransportErrorKind::Timeout => McpErrorKind::Timeout,
            TransportErrorKind::TooLarge => McpErrorKind::TooLarge,
            _ => McpErrorKind::Connect,
        };
        let mut error = Self::new(kind, server, source.to_string());
        error.0.may_have_run = source.kind().may_have_been_sent();
        error.0.source = Some(source);
        error
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn surely_not_run(mut self) -> Self {
        self.0.may_have_run = false;
        self
    }

    /// Says what was being done when it happened.
    pub(crate) fn during(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }
}

impl fmt::Display for McpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MCP server {}: {}", self.0.server, self.0.message)
    }
}

impl Error for McpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// At most this many bytes of `text`, on one line, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut short = String::new();
    for word in text.split_whitespace() {
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
        if short.len() > LONGEST {
            short.truncate(short.floor_char_boundary(LONGEST));
            short.push('…');
            break;
        }
    }
    short
}
