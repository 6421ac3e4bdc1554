//! Following an interaction to its end, whatever the service offers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use interactions_types::{EventId, Interaction, InteractionId, StreamEvent};

use crate::exchange::Deadline;
use crate::options::{Options, call_options};
use crate::wait::Pace;
use crate::{Client, Error, EventStream};

/// What following an interaction shows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "updates come one at a time and are not kept")]
pub enum Update {
    /// An event of its stream.
    Event(StreamEvent),
    /// Its state as read by polling, whenever that changed.
    State(Interaction),
}

impl Update {
    /// The interaction as it ended, whole, in the last update.
    #[must_use]
    pub fn ended(&self) -> Option<&Interaction> {
        match self {
            Self::State(state) if !state.status.is_running() => Some(state),
            _ => None,
        }
    }
}

/// Follows an interaction to its end: by its events, or by polling where there are none.
///
/// It is a stream. Agents and deployments differ in what they stream; when the service refuses
/// to stream this interaction, or its stream breaks for good, the state is polled instead.
/// The last update is the state in which it [ended](Update::ended), failed ones included,
/// and is read once more for that, since the last event does not tell all.
///
/// ```
/// # use interactions_testing::{Reply, replay};
/// use futures::StreamExt;
/// use interactions_client::Client;
///
/// # let rt = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # rt.block_on(async {
/// # let transport = replay([
/// #     Reply::sse(concat!("data: {\"event_type\":\"interaction.completed\",",
/// #         "\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\"}}\n\n")),
/// #     Reply::from(r#"{"id":"v1_x","status":"completed"}"#)]);
/// # let client = Client::builder().transport(transport).build()?;
/// let mut updates = client.watch("v1_x").stream();
/// while let Some(update) = updates.next().await {
///     if let Some(end) = update?.ended() {
///         println!("it is {}", end.status);
///     }
/// }
/// # Ok::<(), interactions_client::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is followed until the stream is read"]
pub struct Watch {
    client: Client,
    id: InteractionId,
    options: Options,
    last_event_id: Option<EventId>,
}

call_options!(Watch);

impl Watch {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        let options = client.options();
        Self { client, id, options, last_event_id: None }
    }

    /// Begins after this event instead of at the beginning.
    pub fn last_event_id(mut self, id: impl Into<EventId>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// The updates.
    pub fn stream(self) -> UpdateStream {
        let deadline = Deadline::after(self.options.limit);
        let (pace, phase) = (Pace::default(), Phase::Begin);
        let follower = Follower { watch: self, deadline, pace, last: None, failure: None, phase };
        UpdateStream(stream::unfold(follower, Follower::next).boxed())
    }
}

/// The updates of one interaction.
#[must_use = "a stream does nothing until it is read"]
pub struct UpdateStream(BoxStream<'static, Result<Update, Error>>);

impl Stream for UpdateStream {
    type Item = Result<Update, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for UpdateStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpdateStream(..)")
    }
}

struct Follower {
    watch: Watch,
    deadline: Deadline,
    pace: Pace,
    last: Option<Interaction>,
    /// An `error` event: what to say should the interaction not have ended by it.
    failure: Option<Error>,
    phase: Phase,
}

enum Phase {
    Begin,
    Events(Box<EventStream>),
    Polls,
    Over,
}

async fn open(watch: &Watch, options: Options) -> Result<EventStream, Error> {
    let mut get = watch.client.get(&watch.id).stream();
    if let Some(last) = &watch.last_event_id {
        get = get.last_event_id(last.clone());
    }
    get.with_options(options).await.map(EventStream::without_keeping)
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Update, Error>, Self)> {
        loop {
            match &mut self.phase {
                Phase::Begin => {
                    self.phase = match open(&self.watch, self.options()).await {
                        Ok(events) => Phase::Events(Box::new(events)),
                        // Whether it exists at all, the first poll will tell.
                        Err(_) if !self.deadline.is_over() => Phase::Polls,
                        Err(error) => {
                            self.phase = Phase::Over;
                            return Some((Err(error), self));
                        }
                    };
                }
                Phase::Events(events) => match events.next().await {
                    Some(Ok(event)) => return Some((Ok(Update::Event(event)), self)),
                    // An `error` event is news of the interaction, which may have ended by it.
                    Some(Err(error)) if error.api().is_some() && error.status().is_none() => {
                        (self.failure, self.phase) = (Some(error), Phase::Polls);
                    }
                    Some(Err(_)) | None => self.phase = Phase::Polls,
                },
                Phase::Polls => {
                    let update = match (self.poll().await, self.failure.take()) {
                        (Ok(update), Some(failure)) if update.ended().is_none() => Err(failure),
                        (update, _) => update,
                    };
                    let goes_on = update.as_ref().is_ok_and(|update| update.ended().is_none());
                    if !goes_on {
                        self.phase = Phase::Over;
                    }
                    return Some((update, self));
                }
                Phase::Over => return None,
            }
        }
    }

    /// Asks until something has changed.
    async fn poll(&mut self) -> Result<Update, Error> {
        loop {
            let get = self.watch.client.get(&self.watch.id).with_options(self.options());
            match get.await {
                Ok(state) => {
                    self.pace.succeeded();
                    if self.last.as_ref() != Some(&state) {
                        self.last = Some(state.clone());
                        return Ok(Update::State(state));
                    }
                }
                Err(error) if self.pace.bears(&error) => {}
                Err(error) => return Err(error.with_partial(self.last.take())),
            }
            if !self.deadline.sleep(self.pace.step()).await {
                let error = Error::deadline(format!("{} still runs", self.watch.id));
                return Err(error.with_partial(self.last.take()));
            }
        }
    }

    fn options(&self) -> Options {
        self.watch.options.until(self.deadline)
    }
}
