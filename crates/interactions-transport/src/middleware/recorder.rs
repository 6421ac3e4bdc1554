//! Feature `record`: writes down what passes through.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};

use super::recording::{
    End, Exchange, Failure, Piece, REDACTED, Recording, RecordingError, Request, Response,
};
use crate::{Body, SharedTransport, Transport, TransportError, TransportErrorKind};

/// Records exchanges, in memory or to a file, for a [`Replayer`](super::Replayer) to play back.
///
/// An exchange is written down when it is over: when its response body has ended, broken off or
/// been dropped. The pieces of bodies are kept as they came, so that a replayed stream is cut
/// where the real one was. Until then the exchange is in memory; this is for tests and for
/// looking into trouble, not for a server under load.
///
/// The headers `authorization`, `proxy-authorization`, `x-goog-api-key`, `cookie` and
/// `set-cookie` and the query parameter `key` are recorded as `REDACTED`, and user information
/// in an address not at all. **Bodies are recorded as they are.**
///
/// ```
/// # use futures::executor::block_on;
/// # use interactions_transport::{Body, Recorder, Replayer, Transport, TransportError};
/// # fn real() -> impl Transport {
/// #     let script = r#"{"sequence":0,"request":{"method":"GET","path":"/","query":"key=REDACTED"},"response":{"status":200,"end":"complete"}}"#;
/// #     Replayer::new(interactions_transport::Recording::parse(script).unwrap())
/// # }
/// let recorder = Recorder::new(real());
/// let request = http::Request::get("http://localhost/?key=secret").body(Body::empty())?;
/// block_on(async { recorder.send(request).await?.into_body().collect(1024).await })?;
///
/// let recording = recorder.recording()?;
/// assert_eq!(recording.len(), 1);
/// assert!(!recording.to_string().contains("secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: SharedTransport,
    sink: Arc<Sink>,
    headers: Arc<Vec<HeaderName>>,
    parameters: Arc<Vec<String>>,
}

#[derive(Debug)]
struct Sink {
    begun: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<Exchange>),
    File { path: PathBuf, file: File, failure: Option<String> },
}

impl Recorder {
    /// Records in memory what goes through a transport.
    pub fn new(inner: impl Transport) -> Self {
        Self::with(inner, Kept::Memory(Vec::new()))
    }

    /// Records to a file of JSON lines, which is emptied first. It is written without a runtime,
    /// one line at the end of each exchange.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be created.
    pub fn to_file(inner: impl Transport, path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref().to_owned();
        let file = File::create(&path).map_err(|error| RecordingError {
            what: format!("could not create {}: {error}", path.display()),
            source: Some(Box::new(error)),
        })?;
        Ok(Self::with(inner, Kept::File { path, file, failure: None }))
    }

    fn with(inner: impl Transport, kept: Kept) -> Self {
        let key = HeaderName::from_static("x-goog-api-key");
        Self {
            inner: SharedTransport::new(inner),
            sink: Arc::new(Sink { begun: AtomicU64::new(0), kept: Mutex::new(kept) }),
            headers: Arc::new(vec![AUTHORIZATION, PROXY_AUTHORIZATION, key, COOKIE, SET_COOKIE]),
            parameters: Arc::new(vec!["key".to_owned()]),
        }
    }

    /// Redacts another header, in requests and responses.
    #[must_use]
    pub fn with_secret_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.headers).push(name);
        self
    }

    /// Redacts another parameter of the query.
    #[must_use]
    pub fn with_secret_parameter(mut self, name: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.parameters).push(name.into());
        self
    }

    /// The exchanges that are over. The recorder goes on recording.
    ///
    /// # Errors
    /// [`RecordingError`] when the file could not be written, or cannot be read back.
    pub fn recording(&self) -> Result<Recording, RecordingError> {
        match &*self.sink.kept() {
            Kept::Memory(exchanges) => Ok(Recording::of(exchanges.clone())),
            Kept::File { failure: Some(what), .. } => {
                Err(RecordingError { what: what.clone(), source: None })
            }
            Kept::File { path, .. } => Recording::read(path),
        }
    }

    fn request(&self, parts: &http::request::Parts) -> Request {
        let uri = &parts.uri;
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or("http");
        Request {
            method: parts.method.to_string(),
            address: format!("{scheme}://{}{port}", uri.host().unwrap_or_default()),
            path: uri.path().to_owned(),
            query: uri.query().map(|query| redact_query(query, &self.parameters)),
            headers: self.headers(&parts.headers),
            body: Vec::new(),
        }
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, Piece)> {
        let write = |(name, value): (&HeaderName, &http::HeaderValue)| {
            let secret = value.is_sensitive() || self.headers.contains(name);
            let value = if secret { REDACTED.as_bytes() } else { value.as_bytes() };
            (name.to_string(), Piece::of(value))
        };
        headers.iter().map(write).collect()
    }
}

impl Sink {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, exchange: Exchange) {
        match &mut *self.kept() {
            Kept::Memory(exchanges) => exchanges.push(exchange),
            Kept::File { path, file, failure } => {
                let written = exchange
                    .to_line()
                    .map_err(std::io::Error::from)
                    .and_then(|line| file.write_all((line + "\n").as_bytes()));
                if let Err(error) = written {
                    // The exchange itself went well; `recording` is where this can be told.
                    failure.get_or_insert_with(|| {
                        format!("could not write {}: {error}", path.display())
                    });
                }
            }
        }
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let (parts, body) = request.into_parts();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut tape = Tape {
            sink: Arc::clone(&self.sink),
            sent: Arc::clone(&sent),
            exchange: Some(Exchange {
                sequence: self.sink.begun.fetch_add(1, Ordering::Relaxed),
                request: self.request(&parts),
                response: None,
                failure: None,
            }),
        };
        let request = http::Request::from_parts(parts, overheard(body, sent));
        match self.inner.send(request).await {
            Ok(response) => {
                let headers = self.headers(response.headers());
                let status = response.status().as_u16();
                tape.note(|exchange| {
                    let end = End::Dropped;
                    exchange.response = Some(Response { status, headers, body: Vec::new(), end });
                });
                Ok(response.map(|body| {
                    let length = body.len();
                    let taped = Body::stream(TapedBody { body, tape });
                    match length {
                        Some(length) => taped.with_length(length),
                        None => taped,
                    }
                }))
            }
            Err(error) => {
                tape.note(|exchange| exchange.failure = Some(Failure::of(&error)));
                Err(error)
            }
        }
    }
}

type Sent = Arc<Mutex<Vec<Bytes>>>;

/// The same body, whose pieces are written down as they are sent.
fn overheard(body: Body, sent: Sent) -> Body {
    let note = |sent: &Sent, bytes: &Bytes| {
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.clone());
    };
    if let Some(bytes) = body.known_bytes() {
        if !bytes.is_empty() {
            note(&sent, &bytes);
        }
        return body;
    }
    let length = body.len();
    let heard = Body::stream(body.inspect(move |piece| {
        if let Ok(bytes) = piece {
            note(&sent, bytes);
        }
    }));
    match length {
        Some(length) => heard.with_length(length),
        None => heard,
    }
}

/// One exchange until it is over, which is when this is dropped.
struct Tape {
    sink: Arc<Sink>,
    sent: Sent,
    exchange: Option<Exchange>,
}

impl Tape {
    fn note(&mut self, note: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = &mut self.exchange {
            note(exchange);
        }
    }

    fn note_response(&mut self, note: impl FnOnce(&mut Response)) {
        self.note(|exchange| {
            if let Some(response) = &mut exchange.response {
                note(response);
            }
        });
    }

    /// Writes the exchange down; what comes later changes nothing.
    fn finish(&mut self) {
        let Some(mut exchange) = self.exchange.take() else { return };
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        exchange.request.body = sent.iter().map(|bytes| Piece::of(bytes)).collect();
        drop(sent);
        if exchange.response.is_none() && exchange.failure.is_none() {
            let error = TransportError::new(TransportErrorKind::Other, "the caller gave up");
            exchange.failure = Some(Failure::of(&error));
        }
        self.sink.keep(exchange);
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.finish();
    }
}

struct TapedBody {
    body: Body,
    tape: Tape,
}

impl Stream for TapedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.body.poll_next_unpin(cx);
        match &piece {
            Poll::Ready(Some(Ok(bytes))) => {
                self.tape.note_response(|response| response.body.push(Piece::of(bytes)));
            }
            Poll::Ready(Some(Err(error))) => {
                self.tape.note_response(|response| response.end = End::Broken(Failure::of(error)));
                self.tape.finish();
            }
            Poll::Ready(None) => {
                self.tape.note_response(|response| response.end = End::Complete);
                self.tape.finish();
            }
            Poll::Pending => {}
        }
        piece
    }
}

fn redact_query(query: &str, secrets: &[String]) -> String {
    let redact = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        let decoded = percent_decoded(name);
        if secrets.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(&decoded)) {
            format!("{name}={REDACTED}")
        } else {
            pair.to_owned()
        }
    };
    query.split('&').map(redact).collect::<Vec<_>>().join("&")
}

/// A secret must not slip through because its name was spelled `k%65y`.
fn percent_decoded(name: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |index: usize| after.get(index).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    decoded
}
