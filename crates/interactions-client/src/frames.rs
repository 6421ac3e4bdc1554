//! One response read as events.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use interactions_transport::sse::Decoder;
use interactions_transport::{Body, TransportError, TransportErrorKind};
use interactions_types::{Interaction, StreamEvent, decode};
use tokio::time::{Sleep, sleep};

use crate::Error;
use crate::error::request_id;
use crate::exchange::Deadline;

/// The events of one response. It ends at `[DONE]` or where the connection closes.
pub(crate) struct Frames {
    body: Body,
    decoder: Decoder,
    limits: Limits,
    /// Runs while nothing arrives.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the end is near, at the deadline at the latest.
    hurried: bool,
    request_id: Option<String>,
    ended: bool,
}

/// How long to wait for more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Option<Duration>,
    pub(crate) deadline: Deadline,
    /// How large one event may be, where that is not the decoder's default.
    pub(crate) event_bytes: Option<usize>,
}

/// Lets a response pass that is a stream of events.
pub(crate) async fn expect_events(
    response: http::Response<Body>,
    deadline: Deadline,
) -> Result<http::Response<Body>, Error> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/event-stream") {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    // It may have run all the same, and then says what became of it.
    let body = deadline.at_most(UNEXPECTED_WAIT).limit(body.collect(UNEXPECTED_LIMIT)).await;
    let interaction = body.ok().and_then(|body| decode::<Interaction>(&body).ok());
    let interaction = interaction.filter(|interaction| !interaction.id.as_str().is_empty());
    Err(Error::stream(format!("the server answered a stream request with `{kind}`"))
        .of_request(&parts.headers)
        .with_partial(interaction))
}

const UNEXPECTED_WAIT: Duration = Duration::from_secs(5);
const UNEXPECTED_LIMIT: usize = 64 * 1024 * 1024;

impl Frames {
    pub(crate) fn open(response: http::Response<Body>, limits: Limits) -> Self {
        let request_id = request_id(response.headers());
        let mut decoder = Decoder::new();
        if let Some(bytes) = limits.event_bytes {
            decoder = decoder.with_limit(bytes);
        }
        let body = response.into_body();
        Self { body, decoder, limits, timer: None, hurried: false, request_id, ended: false }
    }

    /// Waits no longer than this for all that is still to come.
    pub(crate) fn hurry(&mut self, limit: Duration) {
        self.limits.deadline = self.limits.deadline.at_most(limit);
        (self.hurried, self.timer) = (true, None);
    }

    /// The service's name for the request that is answered by these events.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Is ready when the wait for more has become too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Limits { idle, deadline, .. } = self.limits;
        let limit = match (idle, deadline.left()) {
            (Some(idle), Some(left)) => idle.min(left),
            (Some(limit), None) | (None, Some(limit)) => limit,
            (None, None) => return Poll::Pending,
        };
        self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }

    /// The next event among the bytes that have arrived.
    fn buffered(&mut self) -> Option<Result<StreamEvent, Error>> {
        let frame = match self.decoder.next_frame()? {
            Ok(frame) => frame,
            Err(error) => {
                self.ended = true;
                return Some(Err(Error::stream(error.to_string()).named(&self.request_id)));
            }
        };
        if frame.is_done() {
            self.ended = true;
            return None;
        }
        let event = StreamEvent::decode(frame.event(), frame.data())
            .map_err(|error| Error::decode(&error, frame.data()).named(&self.request_id));
        self.ended |= event.is_err();
        Some(event)
    }
}

impl Stream for Frames {
    type Item = Result<StreamEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.ended {
            if let Some(event) = this.buffered() {
                return Poll::Ready(Some(event));
            }
            if this.ended {
                break;
            }
            let piece = match this.body.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(_))) if this.hurried && this.limits.deadline.is_over() => None,
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    ready!(this.poll_timer(cx));
                    let why = "nothing arrived within the time limit";
                    Some(Err(TransportError::new(TransportErrorKind::Timeout, why)))
                }
            };
            this.timer = None;
            match piece {
                Some(Ok(bytes)) => this.decoder.push(&bytes),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(Error::transport(error).named(&this.request_id))));
                }
                None => this.ended = true,
            }
        }
        Poll::Ready(None)
    }
}
