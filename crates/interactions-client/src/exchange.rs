//! One call on the wire: requests, credentials, time limits and retries.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use futures::{FutureExt, StreamExt, stream};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderName, Method, Request, Response, StatusCode};
use interactions_transport::{Body, Timeouts, Transport, TransportError, TransportErrorKind};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::auth::{self, AccessToken};
use crate::options::Options;
use crate::{Client, Error, Failure};

const AGENT: &str = concat!("interactions-rust/", env!("CARGO_PKG_VERSION"));
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const ERROR_LIMIT: usize = 1024 * 1024;
/// How long to wait for the body of an error, whose status has told the most already.
const ERROR_WAIT: Duration = Duration::from_secs(5);
/// No JSON reply is larger, images included; beyond it something is wrong.
const REPLY_LIMIT: usize = 256 * 1024 * 1024;

/// A request before it is sent, as often as it takes.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'static str,
    /// Absent where `headers` has it.
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) payload: Payload,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) idempotent: bool,
}

impl Draft {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let idempotent = method.is_idempotent();
        let (accept, content_type, headers) = (JSON, Some(JSON), Vec::new());
        Self { method, url, accept, content_type, headers, payload: Payload::default(), idempotent }
    }

    pub(crate) fn json(mut self, json: Vec<u8>) -> Self {
        self.payload = Payload::Bytes(json.into());
        self
    }

    /// Whether a response says that what was asked for is done.
    fn is_done(&self, response: &Response<Body>, may_have_run: bool) -> bool {
        // What an earlier try may have erased cannot be found any more.
        let is_erased = self.method == Method::DELETE && response.status() == StatusCode::NOT_FOUND;
        response.status().is_success() || (is_erased && may_have_run)
    }

    pub(crate) fn events(mut self) -> Self {
        self.accept = EVENTS;
        self
    }
}

/// What a request carries, as often as it is sent.
#[derive(Clone)]
pub(crate) enum Payload {
    Bytes(Bytes),
    /// Makes the body anew each time; for what is too large to hold.
    Made(Arc<dyn Fn() -> Body + Send + Sync>),
}

impl Default for Payload {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Payload {
    fn body(&self) -> Body {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => Body::empty(),
            Self::Bytes(bytes) => bytes.clone().into(),
            Self::Made(make) => make(),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Payload({} bytes)", bytes.len()),
            Self::Made(_) => f.write_str("Payload(made)"),
        }
    }
}

/// The moment at which a call gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        // A limit that the clock cannot express never comes.
        Self(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// What is left; `None` is without end, zero is nothing.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The same, or sooner.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        let sooner = Self::after(Some(limit));
        match (self.0, sooner.0) {
            (Some(one), Some(other)) => Self(Some(one.min(other))),
            (one, other) => Self(one.or(other)),
        }
    }

    /// Gives a future up when the deadline comes.
    ///
    /// Transports keep time limits too, as far as they know them; this holds for all of them.
    pub(crate) async fn limit<T>(
        self,
        future: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        match self.0 {
            None => future.await,
            Some(end) => match timeout_at(end, future).await {
                Ok(result) => result,
                Err(_) => Err(TransportError::new(
                    TransportErrorKind::Timeout,
                    "the time limit of the call ran out",
                )),
            },
        }
    }

    /// Breaks a body off when the deadline comes.
    pub(crate) fn limit_body(self, body: Body) -> Body {
        if self.0.is_none() {
            return body;
        }
        let length = body.len();
        let pieces = stream::unfold(Some(body), move |body| async move {
            let mut body = body?;
            match self.limit(body.next().map(Option::transpose)).await.transpose()? {
                Ok(piece) => Some((Ok(piece), Some(body))),
                Err(error) => Some((Err(error), None)),
            }
        });
        match length {
            Some(length) => Body::stream(pieces).with_length(length),
            None => Body::stream(pieces),
        }
    }

    /// Gives a future up when the deadline comes, before anything was sent.
    async fn within<T>(self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.0 {
            None => future.await,
            Some(end) => timeout_at(end, future).await.unwrap_or_else(|_| {
                Err(Error::deadline("the time limit ran out before there were credentials"))
            }),
        }
    }

    /// Waits, unless the deadline comes first; then it is false, at once.
    pub(crate) async fn sleep(self, wait: Duration) -> bool {
        if self.left().is_some_and(|left| left <= wait) {
            return false;
        }
        sleep(wait).await;
        true
    }
}

impl Client {
    /// Sends a request until a response begins well or the policy gives up.
    pub(crate) async fn exchange(
        &self,
        draft: Draft,
        options: &Options,
        deadline: Deadline,
    ) -> Result<Response<Body>, Error> {
        self.persist(&draft, options, deadline, |response| ready(Ok(response)).boxed()).await
    }

    /// Sends a request until a response has arrived whole or the policy gives up.
    pub(crate) async fn exchange_whole(
        &self,
        draft: Draft,
        options: &Options,
        deadline: Deadline,
    ) -> Result<Response<Bytes>, Error> {
        self.persist(&draft, options, deadline, |response| whole(response, deadline).boxed()).await
    }

    async fn persist<T>(
        &self,
        draft: &Draft,
        options: &Options,
        deadline: Deadline,
        read: impl Fn(Response<Body>) -> BoxFuture<'static, Result<T, Error>>,
    ) -> Result<T, Error> {
        let policy = options.retry.as_deref().unwrap_or(self.retry_policy());
        let mut refused: Option<(AccessToken, Error)> = None;
        let mut retries = 0;
        let mut may_have_run = false;
        loop {
            let old = refused.as_ref().map(|(token, _)| token);
            let signing = self.request(draft, options, deadline, old);
            let (request, token) = deadline.within(signing).await?;
            // When the provider has no other token, the answer would be the same.
            if let Some((_, error)) = refused.take_if(|(old, _)| Some(&*old) == token.as_ref()) {
                return Err(error.after_retries(retries));
            }
            let error = match deadline.limit(self.transport().send(request)).await {
                Ok(response) if draft.is_done(&response, may_have_run) => {
                    match read(response).await {
                        Ok(read) => {
                            policy.succeeded();
                            return Ok(read);
                        }
                        Err(error) => error,
                    }
                }
                Ok(response) => {
                    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
                    let error = failed(response, deadline).await;
                    match token {
                        // A token may expire between two calls; one more try with a new one.
                        Some(token) if unauthorized && refused.is_none() => {
                            refused = Some((token, error));
                            continue;
                        }
                        _ => error,
                    }
                }
                Err(error) => Error::transport(error),
            };
            may_have_run |= error.may_have_run();
            let failure = Failure { error: &error, retries, idempotent: draft.idempotent };
            match policy.delay(&failure) {
                Some(wait) if deadline.sleep(wait).await => retries += 1,
                _ => return Err(error.after_retries(retries)),
            }
        }
    }

    async fn request(
        &self,
        draft: &Draft,
        options: &Options,
        deadline: Deadline,
        refused: Option<&AccessToken>,
    ) -> Result<(Request<Body>, Option<AccessToken>), Error> {
        let mut url = draft.url.clone();
        for (name, value) in options.queries() {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request = Request::new(draft.payload.body());
        *request.method_mut() = draft.method.clone();
        *request.uri_mut() =
            url.as_str().parse().map_err(|_| Error::request("the address cannot be sent"))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(draft.accept));
        if let Some(kind) = draft.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.extend(draft.headers.iter().cloned());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let extra = options.parsed_headers()?;
        // Who brings credentials along is not given others beside them.
        let token = match extra.iter().any(|(name, _)| auth::is_credential(name)) {
            true => None,
            false => self.credentials().sign(headers, refused).await?,
        };
        for (name, value) in extra {
            headers.insert(name, value);
        }
        let mut timeouts: Timeouts = options.timeouts;
        timeouts.total = deadline.left();
        request.extensions_mut().insert(timeouts);
        Ok((request, token))
    }
}

async fn failed(response: Response<Body>, deadline: Deadline) -> Error {
    let (parts, body) = response.into_parts();
    // A body that breaks off or stalls still leaves the status to report.
    let deadline = deadline.at_most(ERROR_WAIT);
    let body = deadline.limit(body.collect(ERROR_LIMIT)).await.unwrap_or_default();
    Error::response(&parts, &body)
}

async fn whole(response: Response<Body>, deadline: Deadline) -> Result<Response<Bytes>, Error> {
    let (parts, body) = response.into_parts();
    match deadline.limit(body.collect(REPLY_LIMIT)).await {
        Ok(body) => Ok(Response::from_parts(parts, body)),
        Err(error) => Err(Error::transport(error).of_request(&parts.headers)),
    }
}
