//! Feature `tracing`: one span for each exchange.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::{Body, SharedTransport, Transport, TransportError};

/// Puts a span around each HTTP exchange, from sending to the end of the response body.
///
/// The span is called `http` and has the fields of
/// [OpenTelemetry's HTTP clients](https://opentelemetry.io/docs/specs/semconv/http/http-spans/):
///
/// | field | value |
/// |---|---|
/// | `otel.name`, `otel.kind` | the method; `client` |
/// | `http.request.method` | the method |
/// | `server.address`, `server.port` | host and port, the scheme's port if none is given |
/// | `url.path` | the path, without the query, where a key may stand |
/// | `http.response.status_code` | the status, once the head is there |
/// | `error.type` | the status from 400 on, the kind of a [`TransportError`], or `cancelled` |
/// | `duration` | seconds to the end of the body, or to where the caller left it |
///
/// Headers, bodies and the query never appear, on no level.
///
/// On targets without a clock (`wasm32-unknown-unknown`) sending panics, as
/// [`Instant::now`] does there.
///
/// ```
/// use interactions_transport::{SharedTransport, Traced, Transport};
///
/// fn observed(transport: impl Transport) -> SharedTransport {
///     SharedTransport::new(Traced::new(transport))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Traced {
    inner: SharedTransport,
}

impl Traced {
    /// Traces what goes through a transport.
    pub fn new(inner: impl Transport) -> Self {
        Self { inner: SharedTransport::new(inner) }
    }
}

#[async_trait]
impl Transport for Traced {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let uri = request.uri();
        let span = tracing::info_span!(
            "http",
            otel.name = request.method().as_str(),
            otel.kind = "client",
            http.request.method = request.method().as_str(),
            server.address = uri.host(),
            server.port = uri.port_u16().or_else(|| known_port(uri)),
            url.path = uri.path(),
            http.response.status_code = Empty,
            error.type = Empty,
            duration = Empty,
        );
        let mut exchange = Exchange { span: span.clone(), began: Instant::now(), headless: true };
        let result = self.inner.send(request).instrument(span).await;
        exchange.headless = false;
        match result {
            Ok(response) => {
                exchange.answered(response.status());
                Ok(response.map(|body| {
                    let length = body.len();
                    let traced = Body::stream(TracedBody { body, exchange });
                    match length {
                        Some(length) => traced.with_length(length),
                        None => traced,
                    }
                }))
            }
            Err(error) => {
                exchange.failed(&error);
                Err(error)
            }
        }
    }
}

fn known_port(uri: &http::Uri) -> Option<u16> {
    match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    }
}

/// One exchange until it is over, which is when this is dropped.
struct Exchange {
    span: Span,
    began: Instant,
    headless: bool,
}

impl Exchange {
    fn answered(&self, status: http::StatusCode) {
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_client_error() || status.is_server_error() {
            self.span.record("error.type", status.as_str());
        }
    }

    fn failed(&self, error: &TransportError) {
        self.span.record("error.type", error.kind().as_str());
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.headless {
            self.span.record("error.type", "cancelled");
        }
        self.span.record("duration", self.began.elapsed().as_secs_f64());
    }
}

struct TracedBody {
    body: Body,
    exchange: Exchange,
}

impl Stream for TracedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let piece = this.exchange.span.in_scope(|| this.body.poll_next_unpin(cx));
        if let Poll::Ready(Some(Err(error))) = &piece {
            this.exchange.failed(error);
        }
        piece
    }
}
