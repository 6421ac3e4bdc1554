//! Transports that answer from a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use interactions_transport::{
    Body, SharedTransport, Transport, TransportError, TransportErrorKind,
};

/// One scripted answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    end: End,
    wait: Duration,
}

/// How a scripted answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Well,
    /// The connection breaks inside the body.
    Cut,
    /// Nothing more ever comes.
    Silence,
    /// No answer comes at all, for this reason.
    Failure(TransportErrorKind),
}

impl Reply {
    /// A JSON body with status 200.
    pub fn json(body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            pieces: vec![body.into().into()],
            end: End::Well,
            wait: Duration::ZERO,
        }
        .header("content-type", "application/json")
    }

    /// A stream of events with status 200.
    pub fn sse(transcript: impl Into<String>) -> Self {
        Self::json(transcript).header("content-type", "text/event-stream")
    }

    /// An error body with its status.
    ///
    /// # Panics
    /// When `status` is not an HTTP status.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": code, "message": message}});
        let status = StatusCode::from_u16(status).expect("the test names an HTTP status");
        Self { status, ..Self::json(body.to_string()) }
    }

    /// No answer: the request fails in this way.
    #[must_use]
    pub fn failure(kind: TransportErrorKind) -> Self {
        Self { end: End::Failure(kind), ..Self::json("") }
    }

    /// Sets a header of the response.
    ///
    /// # Panics
    /// When name or value cannot stand in a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("the test names a header");
        self.headers.insert(name, value);
        self
    }

    /// Cuts the body into pieces of this many bytes.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        let whole = self.pieces.concat();
        self.pieces = whole.chunks(bytes.max(1)).map(Bytes::copy_from_slice).collect();
        self
    }

    /// Breaks the connection after this many bytes.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.keep(bytes);
        self.end = End::Cut;
        self
    }

    /// Falls silent after this many bytes, while the connection stays open.
    #[must_use]
    pub fn silent_after(mut self, bytes: usize) -> Self {
        self.keep(bytes);
        self.end = End::Silence;
        self
    }

    /// Begins this long after the request has come.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    fn keep(&mut self, bytes: usize) {
        let whole = self.pieces.concat();
        self.pieces = vec![Bytes::copy_from_slice(&whole[..bytes.min(whole.len())])];
    }

    fn into_response(self) -> Result<Response<Body>, TransportError> {
        if let End::Failure(kind) = self.end {
            return Err(TransportError::new(kind, "the script has the request fail"));
        }
        let broken = || {
            TransportError::new(
                TransportErrorKind::Interrupted,
                "the script cuts the connection here",
            )
        };
        let cut = (self.end == End::Cut).then(|| Err(broken()));
        let pieces = stream::iter(self.pieces.into_iter().map(Ok).chain(cut));
        let mut response = Response::new(match self.end {
            End::Silence => Body::stream(pieces.chain(stream::pending())),
            _ => Body::stream(pieces),
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

impl From<&str> for Reply {
    fn from(json: &str) -> Self {
        Self::json(json)
    }
}

/// The text of a stream of these events, without the `[DONE]` that may follow.
#[must_use]
pub fn transcript(events: &[serde_json::Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// A transport that answers with these replies in turn, then fails.
pub fn replay<R: Into<Reply>>(replies: impl IntoIterator<Item = R>) -> SharedTransport {
    capture(replies).transport()
}

/// A transport that answers one request with a stream of events.
pub fn replay_sse(transcript: impl Into<String>) -> SharedTransport {
    replay([Reply::sse(transcript)])
}

/// A transport that fails whatever is sent.
#[must_use]
pub fn never() -> SharedTransport {
    replay(Vec::<Reply>::new())
}

/// Like [`replay`], and keeps the requests for the test to look at.
pub fn capture<R: Into<Reply>>(replies: impl IntoIterator<Item = R>) -> Capture {
    let replies = replies.into_iter().map(Into::into).collect();
    Capture(Arc::new(State { replies: Mutex::new(replies), requests: Mutex::default() }))
}

/// The requests that a [`capture`] transport has seen.
#[derive(Clone, Debug)]
pub struct Capture(Arc<State>);

/// One request as it was sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Captured {
    /// The method.
    pub method: Method,
    /// The absolute address.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Captured {
    /// The body as JSON; `null` when it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Capture {
    /// The transport to give to the code under test.
    #[must_use]
    pub fn transport(&self) -> SharedTransport {
        SharedTransport::new(Scripted(Arc::clone(&self.0)))
    }

    /// The requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Captured> {
        lock(&self.0.requests).clone()
    }
}

#[derive(Debug)]
struct State {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Captured>>,
}

#[derive(Debug)]
struct Scripted(Arc<State>);

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (parts, body) = request.into_parts();
        let body = body.collect(usize::MAX).await?;
        let (method, uri) = (parts.method, parts.uri);
        let captured =
            Captured { method: method.clone(), uri: uri.clone(), headers: parts.headers, body };
        lock(&self.0.requests).push(captured);
        let reply = lock(&self.0.replies).pop_front();
        let Some(reply) = reply else {
            let what = format!("the script has no reply left for {method} {}", uri.path());
            return Err(TransportError::new(TransportErrorKind::Request, what));
        };
        if !reply.wait.is_zero() {
            tokio::time::sleep(reply.wait).await;
        }
        reply.into_response()
    }
}

/// A panicking test must not hide behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
