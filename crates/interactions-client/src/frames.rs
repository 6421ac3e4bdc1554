//! One response read as events.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use interactions_transport::sse::Decoder;
use interactions_transport::{Body, TransportError, TransportErrorKind};
use interactions_types::StreamEvent;
use tokio::time::{Sleep, sleep};

use crate::Error;
use crate::exchange::Deadline;

/// The events of one response. It ends at `[DONE]` or where the connection closes.
pub(crate) struct Frames {
    body: Body,
    decoder: Decoder,
    limits: Limits,
    /// Runs while nothing arrives.
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// How long to wait for more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Option<Duration>,
    pub(crate) deadline: Deadline,
}

impl Frames {
    pub(crate) fn open(response: http::Response<Body>, limits: Limits) -> Result<Self, Error> {
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("text/event-stream") {
            return Err(Error::stream(format!(
                "the server answered a stream request with `{kind}`"
            )));
        }
        let body = response.into_body();
        Ok(Self { body, decoder: Decoder::new(), limits, timer: None, ended: false })
    }

    /// Waits no longer than this for what is still to come.
    pub(crate) fn hurry(&mut self, limit: Duration) {
        self.limits.idle = Some(self.limits.idle.map_or(limit, |idle| idle.min(limit)));
    }

    /// Is ready when the wait for more has become too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Limits { idle, deadline } = self.limits;
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
                return Some(Err(Error::stream(error.to_string())));
            }
        };
        if frame.is_done() {
            self.ended = true;
            return None;
        }
        let event = StreamEvent::decode(frame.event(), frame.data())
            .map_err(|error| Error::decode(&error, frame.data()));
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
                    return Poll::Ready(Some(Err(Error::transport(error))));
                }
                None => this.ended = true,
            }
        }
        Poll::Ready(None)
    }
}
