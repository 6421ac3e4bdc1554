//! Feature `retry`: requests that are sent again.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, sleep};

use crate::pacing::{backoff, retry_after};
use crate::{Body, SharedTransport, Timeouts, Transport, TransportError, TransportErrorKind};

/// Sends a request again where that can do no harm.
///
/// It knows HTTP and nothing above it, so it is careful:
///
/// - A connection that did not come about is tried again, whatever was asked.
/// - A connection that broke or timed out, and the statuses 429, 502, 503 and 504, are tried
///   again for idempotent methods (GET, PUT, DELETE and the like), not for POST.
/// - A body that comes only once is sent only once; see [`Body::replayable`].
/// - A response whose head has arrived is the caller's, should its body break or not.
///
/// `Retry-After` replaces the waits in between. [`Timeouts::total`] covers all tries and waits;
/// when it would run out while waiting, the last answer stands.
///
/// `interactions-client` repeats by a policy of its own, which knows what a create is; do not put
/// both around each other, or their tries multiply.
///
/// ```
/// use interactions_transport::{Retried, SharedTransport, Transport};
///
/// fn patient(transport: impl Transport) -> SharedTransport {
///     SharedTransport::new(Retried::new(transport).retries(2))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Retried {
    inner: SharedTransport,
    retries: u32,
    initial: Duration,
    limit: Duration,
    longest_wait: Duration,
}

impl Retried {
    /// Repeats what fails in a transport: up to four times, after 0.5 s, 1 s, 2 s and 4 s.
    pub fn new(inner: impl Transport) -> Self {
        Self {
            inner: SharedTransport::new(inner),
            retries: 4,
            initial: Duration::from_millis(500),
            limit: Duration::from_secs(8),
            longest_wait: Duration::from_secs(120),
        }
    }

    /// How often a request is sent again at the most.
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count;
        self
    }

    /// The first wait; every further one doubles. Each is shortened by up to a quarter at random.
    pub fn initial(mut self, wait: Duration) -> Self {
        self.initial = wait;
        self
    }

    /// What doubling stops at.
    pub fn limit(mut self, wait: Duration) -> Self {
        self.limit = wait;
        self
    }

    /// Gives up when a service asks for a longer wait than this; two minutes by default.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// How long to wait before another try; `None` when this answer stands.
    fn wait(
        &self,
        method: &Method,
        answer: &Result<Response<Body>, TransportError>,
        retries: u32,
    ) -> Option<Duration> {
        if retries >= self.retries {
            return None;
        }
        let (worth_it, asked) = match answer {
            Ok(response) => {
                let asked = retry_after(response.headers()).filter(|wait| !wait.is_zero());
                (method.is_idempotent() && is_temporary(response.status()), asked)
            }
            Err(error) => match error.kind() {
                TransportErrorKind::Connect => (true, None),
                TransportErrorKind::Interrupted | TransportErrorKind::Timeout => {
                    (method.is_idempotent(), None)
                }
                _ => (false, None),
            },
        };
        let wait = asked.unwrap_or_else(|| backoff(self.initial, self.limit, retries));
        (worth_it && wait <= self.longest_wait).then_some(wait)
    }
}

fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

#[async_trait]
impl Transport for Retried {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (mut parts, mut body) = request.into_parts();
        let limit = parts.extensions.get::<Timeouts>().and_then(|timeouts| timeouts.total);
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut retries = 0;
        loop {
            let again = body.try_clone();
            if let (Some(end), Some(timeouts)) = (end, parts.extensions.get_mut::<Timeouts>()) {
                timeouts.total = Some(end.saturating_duration_since(Instant::now()));
            }
            let answer = self.inner.send(Request::from_parts(parts.clone(), body)).await;
            let (Some(wait), Some(again)) = (self.wait(&parts.method, &answer, retries), again)
            else {
                return answer;
            };
            let resumes_at = Instant::now().checked_add(wait);
            if end.is_some_and(|end| resumes_at.is_none_or(|at| at >= end)) {
                return answer;
            }
            drop(answer);
            sleep(wait).await;
            body = again;
            retries += 1;
        }
    }
}
