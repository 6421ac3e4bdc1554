//! Streams of events on the wire.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use serde_json::Value;

use super::set;
use crate::fault::Fault;
use crate::host::operations::Events;
use crate::index::Position;
use crate::wire::StreamResponse;

/// Some clients give up after five seconds of silence.
const SILENCE: Duration = Duration::from_secs(3);

/// How a binding writes events and errors.
pub(super) struct Script {
    pub(super) event: Box<dyn Fn(&StreamResponse) -> Value + Send>,
    pub(super) error: Box<dyn Fn(&Fault) -> Value + Send>,
    /// Whether errors have a name of their own.
    pub(super) names_errors: bool,
}

/// A response that goes on for as long as there are events.
pub(super) fn response(events: Events, script: Script) -> Response {
    let frames = events.map(move |event| match event {
        Ok((position, event)) => frame(None, position, &(script.event)(&event)),
        Err(fault) => frame(script.names_errors.then_some("error"), None, &(script.error)(&fault)),
    });
    let state = Some(frames.boxed());
    let body = stream::unfold(state, |state| async move {
        let mut frames = state?;
        match tokio::time::timeout(SILENCE, frames.next()).await {
            Ok(Some(frame)) => Some((Ok::<_, std::convert::Infallible>(frame), Some(frames))),
            Ok(None) => None,
            Err(_) => Some((Ok(Bytes::from_static(b": still at work\n\n")), Some(frames))),
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    set(&mut response, CONTENT_TYPE, "text/event-stream");
    set(&mut response, CACHE_CONTROL, "no-store");
    // Proxies would wait for more than there is.
    set(&mut response, HeaderName::from_static("x-accel-buffering"), "no");
    response
}

fn frame(name: Option<&str>, position: Option<Position>, data: &Value) -> Bytes {
    let mut text = String::new();
    if let Some(name) = name {
        text.push_str(&format!("event: {name}\n"));
    }
    if let Some(position) = position {
        text.push_str(&format!("id: {}\n", write_id(position)));
    }
    text.push_str(&format!("data: {data}\n\n"));
    text.into()
}

fn write_id(position: Position) -> String {
    let end = if position.ended { "-end" } else { "" };
    format!("{}-{}{end}", position.turn, position.updates)
}

/// The place that an event id names, as it was given out.
pub(super) fn read_id(id: &str) -> Result<Position, Fault> {
    let read = || {
        let (id, ended) = match id.strip_suffix("-end") {
            Some(id) => (id, true),
            None => (id, false),
        };
        let (turn, updates) = id.split_once('-')?;
        Some(Position { turn: turn.parse().ok()?, updates: updates.parse().ok()?, ended })
    };
    read().ok_or_else(|| Fault::invalid("Last-Event-ID", "no event of this host has such an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_place() {
        for (turn, updates, ended) in [(0, 0, false), (3, 17, false), (1, 2, true)] {
            let position = Position { turn, updates, ended };
            assert_eq!(read_id(&write_id(position)), Ok(position));
        }
        for wrong in ["", "x", "1", "1-", "-1-2", "1-2-", "1-2-ended"] {
            assert!(read_id(wrong).is_err(), "{wrong}");
        }
    }
}
