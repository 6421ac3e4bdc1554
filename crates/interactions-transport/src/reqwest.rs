//! Feature `reqwest`: the network.

mod connect;
mod tls;

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use crate::{Body, Timeouts, Transport, TransportError, TransportErrorKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The network, by reqwest and rustls.
///
/// Redirects are not followed: the API has none, and following one could carry a key elsewhere.
/// Connecting takes at most ten seconds unless the [`builder`](Self::builder) says otherwise;
/// all other limits come with the request as [`Timeouts`].
///
/// The system's TLS roots are loaded when a certificate is first checked; where that fails,
/// so does the connection.
///
/// A body of known length is sent with its `Content-Length`, any other in chunks.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: ::reqwest::Client,
}

/// How a [`ReqwestTransport`] is to behave.
///
/// ```no_run
/// # use std::time::Duration;
/// use interactions_transport::ReqwestTransport;
///
/// let transport =
///     ReqwestTransport::builder().connect_timeout(Duration::from_secs(3)).no_proxy().build()?;
/// # Ok::<(), interactions_transport::TransportError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ReqwestTransportBuilder {
    client: ::reqwest::ClientBuilder,
    connect_timeout: Duration,
}

impl ReqwestTransport {
    /// A transport with its own pool of connections, honouring the system's proxy settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::builder().build()
    }

    /// Begins a transport that differs from [`new`](Self::new).
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            client: ::reqwest::Client::builder()
                .redirect(::reqwest::redirect::Policy::none())
                .tcp_nodelay(true)
                .connector_layer(connect::LimitLayer),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

impl ReqwestTransportBuilder {
    /// Limits the time to an established connection, for every request of the transport.
    ///
    /// [`Timeouts::connect`] can shorten it for one request.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Connects directly, whatever proxy the system or the environment names.
    pub fn no_proxy(mut self) -> Self {
        self.client = self.client.no_proxy();
        self
    }

    #[cfg(feature = "guard")]
    pub(crate) fn resolver(mut self, resolver: impl ::reqwest::dns::Resolve + 'static) -> Self {
        self.client = self.client.dns_resolver(resolver);
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn build(self) -> Result<ReqwestTransport, TransportError> {
        let client = self.client.tls_backend_preconfigured(tls::config()?);
        // reqwest divides its limit among the addresses of a name, which ours could not do.
        let client = client
            .connect_timeout(self.connect_timeout)
            .build()
            .map_err(|error| TransportError::new(TransportErrorKind::Other, error.without_url()))?;
        Ok(ReqwestTransport { client })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let timeouts = request.extensions().get::<Timeouts>().copied().unwrap_or_default();
        let uri = request.uri().clone();
        let deadline = after(timeouts.total);
        let head_deadline = earlier(deadline, after(timeouts.first_byte));

        let request = request.map(|body| match body.known_bytes() {
            Some(bytes) => ::reqwest::Body::from(bytes),
            None => ::reqwest::Body::wrap(Upload(Mutex::new(body))),
        });
        let request = ::reqwest::Request::try_from(request).map_err(|error| {
            TransportError::new(TransportErrorKind::Request, error.without_url()).with_uri(&uri)
        })?;
        let exchange = connect::limited(timeouts.connect, self.client.execute(request));
        let response = within(head_deadline, exchange)
            .await
            .map_err(|error| error.with_uri(&uri))?
            .map_err(|error| convert(error).with_uri(&uri))?;

        let (parts, body) = http::Response::from(response).into_parts();
        let pieces = data_pieces(body);
        let limited = stream::unfold((pieces, false), move |(mut pieces, ended)| {
            let uri = uri.clone();
            async move {
                if ended {
                    return None;
                }
                let piece_deadline = earlier(deadline, after(timeouts.idle));
                let piece = match within(piece_deadline, pieces.next()).await {
                    Ok(piece) => piece?.map_err(|error| convert(error).with_uri(&uri)),
                    Err(late) => Err(late.with_uri(&uri)),
                };
                let ended = piece.is_err();
                Some((piece, (pieces, ended)))
            }
        });
        Ok(http::Response::from_parts(parts, Body::stream(limited)))
    }
}

/// A body in the shape that reqwest wants: shareable, though it is only ever read by one.
struct Upload(Mutex<Body>);

impl Upload {
    fn body(&mut self) -> &mut Body {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        Pin::new(self.body()).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

fn data_pieces(
    body: ::reqwest::Body,
) -> impl futures::Stream<Item = Result<Bytes, ::reqwest::Error>> + Send + Unpin {
    stream::unfold(body, |mut body| async move {
        loop {
            let frame =
                std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx))
                    .await;
            match frame? {
                Ok(frame) => {
                    // Trailers carry nothing in this API.
                    if let Ok(data) = frame.into_data() {
                        return Some((Ok(data), body));
                    }
                }
                Err(error) => return Some((Err(error), body)),
            }
        }
    })
    .boxed()
}

/// The moment a limit runs out; never, for one that the clock cannot express.
fn after(limit: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(limit?)
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

async fn within<F: Future>(
    deadline: Option<Instant>,
    work: F,
) -> Result<F::Output, TransportError> {
    match deadline {
        None => Ok(work.await),
        Some(deadline) => timeout_at(deadline, work)
            .await
            .map_err(|late| TransportError::new(TransportErrorKind::Timeout, late)),
    }
}

/// Finds the kind in the chain of causes; the URL goes, since its query may hold a key.
fn convert(error: ::reqwest::Error) -> TransportError {
    let error = error.without_url();
    let kind = if error.is_connect() {
        let refused = std::iter::successors(error.source(), |cause| (*cause).source())
            .any(|cause| cause.to_string().starts_with(REFUSED));
        if refused { TransportErrorKind::Refused } else { TransportErrorKind::Connect }
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_builder() {
        TransportErrorKind::Request
    } else if error.is_body() || error.is_decode() || error.is_request() {
        TransportErrorKind::Interrupted
    } else {
        TransportErrorKind::Other
    };
    TransportError::new(kind, error)
}

/// How the guard's resolver begins its refusals, so that they are told from failed look-ups.
pub(crate) const REFUSED: &str = "egress refused";
