//! Streams of events.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use interactions_transport::Body;
use interactions_transport::sse::Decoder;
use interactions_types::{Accumulator, EventId, Interaction, StreamEvent};

use crate::Error;

/// The events of one interaction as they arrive.
///
/// It ends after `interaction.completed`. Three things are errors instead of ends:
/// an `error` event, a connection that breaks, and a connection that closes before the
/// interaction was complete. After an error the stream is over;
/// [`last_event_id`](Self::last_event_id) is where
/// [`Client::get`](crate::Client::get)`.stream()` can take up again.
///
/// ```
/// # use interactions_testing::replay_sse;
/// use futures::StreamExt;
/// use interactions_client::Client;
/// use interactions_types::{CreateInteraction, Delta, StreamEvent};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build()?;
/// # rt.block_on(async {
/// # let transport = replay_sse(concat!(
/// #     "data: {\"event_type\":\"step.start\",\"index\":0,\"step\":{\"type\":\"model_output\"}}\n\n",
/// #     "data: {\"event_type\":\"step.delta\",\"index\":0,\"delta\":{\"type\":\"text\",\"text\":\"1, 2\"}}\n\n",
/// #     "data: {\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\"}}\n\n",
/// # ));
/// # let client = Client::builder().transport(transport).build()?;
/// let mut events = client.create(CreateInteraction::new("m", "Count to two.")).stream().await?;
/// let mut text = String::new();
/// while let Some(event) = events.next().await {
///     if let StreamEvent::StepDelta(step) = event?
///         && let Delta::Text(delta) = step.delta
///     {
///         text += &delta.text;
///     }
/// }
/// assert_eq!(text, "1, 2");
/// # Ok::<(), interactions_client::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct EventStream {
    body: Body,
    decoder: Decoder,
    last_event_id: Option<EventId>,
    completed: bool,
    ended: bool,
}

impl EventStream {
    pub(crate) fn open(response: http::Response<Body>) -> Result<Self, Error> {
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(Error::stream(format!(
                "the server answered a stream request with `{kind}`"
            )));
        }
        Ok(Self {
            body: response.into_body(),
            decoder: Decoder::new(),
            last_event_id: None,
            completed: false,
            ended: false,
        })
    }

    /// The id of the last event that had one: the place from which to resume.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&EventId> {
        self.last_event_id.as_ref()
    }

    /// Reads to the end and builds the interaction.
    ///
    /// # Errors
    /// What the stream ends with instead of completion, or events that do not fit together.
    pub async fn finish(mut self) -> Result<Interaction, Error> {
        let mut accumulator = Accumulator::new();
        while let Some(event) = self.next().await {
            accumulator.push(&event?).map_err(|error| Error::stream(error.to_string()))?;
        }
        Ok(accumulator.into_interaction())
    }

    /// The next event among the bytes that have arrived.
    fn buffered(&mut self) -> Option<Result<StreamEvent, Error>> {
        let event = match self.decoder.next_frame()? {
            Err(error) => return Some(Err(Error::stream(error.to_string()))),
            Ok(frame) if frame.is_done() => {
                self.ended = true;
                let early = || Error::stream("the stream ended without `interaction.completed`");
                return (!self.completed).then(|| Err(early()));
            }
            Ok(frame) => match StreamEvent::decode(frame.event(), frame.data()) {
                Err(error) => return Some(Err(Error::decode(&error, frame.data()))),
                Ok(event) => event,
            },
        };
        if let Some(id) = event.event_id() {
            self.last_event_id = Some(id);
        }
        match event {
            StreamEvent::Error(event) => Some(Err(Error::event(event.error.unwrap_or_default()))),
            event => {
                self.completed |= matches!(event, StreamEvent::Completed(_));
                Some(Ok(event))
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Result<StreamEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            if let Some(event) = this.buffered() {
                this.ended |= event.is_err();
                return Poll::Ready(Some(event));
            }
            if this.ended {
                continue;
            }
            match ready!(this.body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => this.decoder.push(&bytes),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(Error::transport(error))));
                }
                None => {
                    this.ended = true;
                    if !this.completed {
                        let error =
                            Error::stream("the connection closed before `interaction.completed`");
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("last_event_id", &self.last_event_id)
            .field("completed", &self.completed)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
