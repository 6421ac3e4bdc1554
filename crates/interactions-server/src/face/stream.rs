//! Streams of events as HTTP bodies.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use interactions_transport::sse;
use interactions_types::{ErrorEvent, StreamEvent};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use crate::engine::Following;
use crate::error::Refusal;
use crate::metrics::Reader;
use crate::store::{Chunk, LoggedEvent};

/// Idle streams say so this often, so that nothing on the way closes them.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many events that are ready go out in one piece.
const TOGETHER: usize = 64;
const LAST: &str = "interaction.completed";

/// The events of a stored interaction.
pub(super) fn follow(events: Following, reader: Reader) -> Response {
    respond(events, reader)
}

/// Nothing but the end, for a reader who has had all events.
pub(super) fn ended() -> Response {
    respond_with(stream::iter([Ok(Bytes::from(sse::encode(Some("done"), "[DONE]")))]))
}

/// The events of a run that is not stored; it is cancelled when the reader goes.
pub(super) fn live(
    chunks: mpsc::Receiver<Arc<Chunk>>,
    guard: Option<DropGuard>,
    reader: Reader,
) -> Response {
    let events = stream::unfold((chunks, guard), |(mut chunks, guard)| async move {
        let chunk = chunks.recv().await?;
        Some((chunk, (chunks, guard)))
    })
    .flat_map(|chunk| stream::iter(chunk.events.clone().into_iter().map(Ok)));
    respond(events, reader)
}

fn respond(
    events: impl Stream<Item = Result<LoggedEvent, Refusal>> + Send + 'static,
    reader: Reader,
) -> Response {
    respond_with(pieces(events, reader))
}

fn respond_with(body: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
        // Asks reverse proxies not to gather events.
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn pieces(
    events: impl Stream<Item = Result<LoggedEvent, Refusal>> + Send + 'static,
    reader: Reader,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let together = events.ready_chunks(TOGETHER).boxed();
    stream::unfold((together, reader), |(mut events, reader)| async move {
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Err(_) => Some((Ok(Bytes::from_static(sse::KEEP_ALIVE.as_bytes())), (events, reader))),
            Ok(None) => None,
            Ok(Some(ready)) => Some((Ok(Bytes::from(frames(ready))), (events, reader))),
        }
    })
}

fn frames(events: Vec<Result<LoggedEvent, Refusal>>) -> String {
    let mut frames = String::new();
    for event in events {
        match event {
            Ok(event) => {
                frames.push_str(&sse::encode(Some(&event.kind), &event.json));
                if event.kind == LAST {
                    frames.push_str(&sse::encode(Some("done"), "[DONE]"));
                }
            }
            Err(refusal) => {
                let event = StreamEvent::from(ErrorEvent::new().error(refusal.api_error()));
                let json = serde_json::to_string(&event).unwrap_or_default();
                frames.push_str(&sse::encode(Some(event.kind()), &json));
            }
        }
    }
    frames
}
