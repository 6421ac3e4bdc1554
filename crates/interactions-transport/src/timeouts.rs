//! How long a request may take, in its parts.

use std::time::Duration;

/// Time limits of one request; put them into its extensions.
///
/// A stream of events may live for hours, so limits on its parts are better than one on the whole.
///
/// ```
/// use std::time::Duration;
/// use interactions_transport::{Body, Timeouts};
///
/// let mut request = http::Request::get("http://127.0.0.1/").body(Body::empty())?;
/// request.extensions_mut().insert(Timeouts::default().with_idle(Duration::from_secs(60)));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the beginning to an established connection: name look-up, TCP and TLS.
    ///
    /// A transport may have a limit of its own (ten seconds in
    /// `ReqwestTransport`); the shorter one holds.
    /// Nothing is limited when a connection stands ready.
    /// Running out gives [`Connect`](crate::TransportErrorKind::Connect) instead of `Timeout`,
    /// because the request was certainly not sent.
    pub connect: Option<Duration>,
    /// From sending to the response head.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the response body.
    pub idle: Option<Duration>,
    /// From sending to the end of the response body.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// These limits, and those of `other` where there are none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            connect: self.connect.or(other.connect),
            first_byte: self.first_byte.or(other.first_byte),
            idle: self.idle.or(other.idle),
            total: self.total.or(other.total),
        }
    }

    /// Limits the time to an established connection.
    #[must_use]
    pub fn with_connect(mut self, limit: Duration) -> Self {
        self.connect = Some(limit);
        self
    }

    /// Limits the time to the response head.
    #[must_use]
    pub fn with_first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = Some(limit);
        self
    }

    /// Limits the time between two pieces of the response body.
    #[must_use]
    pub fn with_idle(mut self, limit: Duration) -> Self {
        self.idle = Some(limit);
        self
    }

    /// Limits the time to the end of the response body.
    #[must_use]
    pub fn with_total(mut self, limit: Duration) -> Self {
        self.total = Some(limit);
        self
    }
}
