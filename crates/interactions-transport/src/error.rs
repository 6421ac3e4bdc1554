//! Why a request did not get its response.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// A request or response body that failed below HTTP.
///
/// The address it names has lost its query and user information, where keys may stand.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    address: Option<String>,
    source: Option<Source>,
}

/// What failed, and whether the request may have reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection came about. The request was not sent; repeating it is safe.
    Connect,
    /// The egress guard refused the address. The request was not sent; repeating it is pointless.
    Refused,
    /// The request could not be made into HTTP. It was not sent; repeating it is pointless.
    Request,
    /// A time limit ran out. The request may have been executed.
    Timeout,
    /// The connection broke. The request may have been executed.
    Interrupted,
    /// A body is larger than its limit. The request was executed if it was the response's.
    TooLarge,
    /// Anything else. The request may have been executed.
    Other,
}

impl TransportErrorKind {
    /// Whether the server may have received and executed the request.
    #[must_use]
    pub fn may_have_been_sent(self) -> bool {
        !matches!(self, Self::Connect | Self::Refused | Self::Request)
    }

    /// A stable name for logs, metrics and recordings, such as `connect` or `too_large`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refused => "refused",
            Self::Request => "request",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::TooLarge => "too_large",
            Self::Other => "other",
        }
    }

    #[cfg(feature = "record")]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let kinds = [
            Self::Connect,
            Self::Refused,
            Self::Request,
            Self::Timeout,
            Self::Interrupted,
            Self::TooLarge,
            Self::Other,
        ];
        kinds.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl TransportError {
    /// An error of a kind with its cause.
    pub fn new(kind: TransportErrorKind, source: impl Into<Source>) -> Self {
        Self { kind, address: None, source: Some(source.into()) }
    }

    /// Names the address that the request was for; query and user information are left out.
    #[must_use]
    pub fn with_uri(mut self, uri: &http::Uri) -> Self {
        let host = uri.authority().map(|authority| match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        });
        let scheme = uri.scheme_str().unwrap_or("http");
        self.address = Some(format!("{scheme}://{}{}", host.unwrap_or_default(), uri.path()));
        self
    }

    /// What failed.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect => "could not connect",
            TransportErrorKind::Refused => "refused by the egress guard",
            TransportErrorKind::Request => "not a request that can be sent",
            TransportErrorKind::Timeout => "timed out",
            TransportErrorKind::Interrupted => "the connection broke",
            TransportErrorKind::TooLarge => "the body is too large",
            TransportErrorKind::Other => "the request failed",
        })?;
        if let Some(address) = &self.address {
            write!(f, " ({address})")?;
        }
        // Causes below carry the useful word ("connection refused"); one line saves a walk.
        let mut cause: Option<&(dyn Error + 'static)> =
            self.source.as_deref().map(|source| source as _);
        let mut last = None;
        while let Some(error) = cause {
            last = Some(error);
            cause = error.source();
        }
        last.map_or(Ok(()), |root| write!(f, ": {root}"))
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
