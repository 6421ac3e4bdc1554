//! Streams of events that outlive their connection.

mod recent;
mod transcript;
mod unplaced;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use http::{Method, Response};
use interactions_transport::Body;
use interactions_types::{
    AccumulateError, CreateInteraction, EventId, Interaction, InteractionId, Status, StreamEvent,
};
use url::Url;

use crate::continuation::Hops;
use crate::exchange::{Deadline, Draft};
use crate::frames::{Frames, Limits, expect_events};
use crate::options::Options;
use crate::telemetry::{self, Span};
use crate::{Client, Error};
use recent::Recent;
use transcript::Transcript;
use unplaced::Unplaced;

/// How long to listen for the end of an interaction after its error, and of a stream after the
/// interaction's end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often in a row a stream is taken up again without a new event.
const FRUITLESS: u32 = 3;

/// The longest wait before a stream is taken up again.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The events of one interaction as they arrive.
///
/// It ends after `interaction.completed`. When the connection breaks before, or closes, the
/// stream takes up where it was: a stored interaction is asked for the events after the last one,
/// and nothing comes twice. What cannot be taken up ends in an error with
/// [what had arrived](Error::partial). An `error` event is an error too, which comes when the
/// stream has said how the interaction ended.
///
/// An answer that was cut for length [goes on](crate::Create::automatic_continuation) in the same
/// stream: then several interactions are created and completed in it.
///
/// The stream keeps what it has seen as an interaction; see [`interaction`](Self::interaction).
/// Dropping it gives up the connection, while a stored interaction runs on.
///
/// ```
/// # use interactions_testing::replay_sse;
/// use futures::StreamExt;
/// use interactions_client::Client;
/// use interactions_types::{CreateInteraction, Delta, StreamEvent};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
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
    source: Source,
    route: Route,
    id: Option<InteractionId>,
    last_event_id: Option<EventId>,
    seen: Recent,
    unplaced: Unplaced,
    /// Whether the response may begin with events that the caller has had.
    catching_up: bool,
    /// Whether it began with the very first of them.
    anew: bool,
    completed: bool,
    delivered: bool,
    /// Whether the stream began after an event of its interaction.
    midway: bool,
    /// How often in a row taking it up brought nothing new.
    fruitless: u32,
    /// How often in a row it brought no more than a new status.
    barren: u32,
    /// An `error` event, until the stream has ended.
    failure: Option<Error>,
    hops: Option<Hops>,
    transcript: Option<Transcript>,
    span: Span,
}

enum Source {
    Live(Box<Frames>),
    /// On the way to the next response.
    Opening {
        response: Opening,
        reason: Option<Error>,
        resumes: bool,
    },
    Over,
}

type Opening = BoxFuture<'static, Result<Response<Body>, Error>>;

/// How a stream gets a further response.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) client: Client,
    pub(crate) options: Options,
    pub(crate) deadline: Deadline,
    /// Whether the events can be asked for again.
    pub(crate) stored: bool,
    /// Whether to say when an answer was cut for length and nobody continues it.
    pub(crate) warns: bool,
}

impl Route {
    fn limits(&self) -> Limits {
        let event_bytes = self.client.event_bytes();
        Limits { idle: self.options.timeouts.idle, deadline: self.deadline, event_bytes }
    }
}

impl EventStream {
    pub(crate) fn of_create(
        response: Response<Body>,
        route: Route,
        hops: Option<Hops>,
        span: Span,
    ) -> Self {
        Self::new(Frames::open(response, route.limits()), route, hops, span)
    }

    pub(crate) fn of_get(
        response: Response<Body>,
        route: Route,
        id: InteractionId,
        last_event_id: Option<EventId>,
        span: Span,
    ) -> Self {
        let mut stream = Self::new(Frames::open(response, route.limits()), route, None, span);
        stream.id = Some(id);
        stream.midway = last_event_id.is_some();
        stream.last_event_id = last_event_id;
        stream
    }

    fn new(frames: Frames, route: Route, hops: Option<Hops>, span: Span) -> Self {
        Self {
            source: Source::Live(Box::new(frames)),
            route,
            id: None,
            last_event_id: None,
            seen: Recent::default(),
            unplaced: Unplaced::default(),
            catching_up: false,
            anew: false,
            completed: false,
            delivered: false,
            midway: false,
            fruitless: 0,
            barren: 0,
            failure: None,
            hops,
            transcript: Some(Transcript::default()),
            span,
        }
    }

    /// Stops keeping what has arrived, which saves its memory.
    ///
    /// [`interaction`](Self::interaction) and [`Error::partial`] are then empty.
    pub fn without_keeping(mut self) -> Self {
        self.transcript = None;
        self
    }

    /// The id of the interaction, once the service has told it.
    #[must_use]
    pub fn id(&self) -> Option<&InteractionId> {
        self.id.as_ref()
    }

    /// The id of the last event that had one: where another process could take up the stream.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&EventId> {
        self.last_event_id.as_ref()
    }

    /// The service's name for the request that is answered at present.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match &self.source {
            Source::Live(frames) => frames.request_id(),
            _ => None,
        }
    }

    /// What has arrived so far, open steps included; `None` when nothing is kept.
    ///
    /// A stream that began after an event has only what came since.
    #[must_use]
    pub fn interaction(&self) -> Option<Interaction> {
        self.transcript.as_ref().map(Transcript::interaction)
    }

    /// What did not fit together in what has arrived: malformed arguments of calls, mostly.
    #[must_use]
    pub fn misfits(&self) -> &[AccumulateError] {
        self.transcript.as_ref().map_or(&[], Transcript::misfits)
    }

    /// Reads to the end and gives the interaction.
    ///
    /// A stream that began after an event lacks what was before; then the interaction is read
    /// once more, whole.
    ///
    /// # Errors
    /// What the stream ends with instead of completion, or events that do not fit together.
    pub async fn finish(mut self) -> Result<Interaction, Error> {
        self.transcript.get_or_insert_default();
        while let Some(event) = self.next().await {
            event?;
        }
        match (self.id, self.midway) {
            (Some(id), true) => {
                let options = self.route.options.until(self.route.deadline);
                self.route.client.get(id).with_options(options).await
            }
            _ => self.transcript.unwrap_or_default().finish(),
        }
    }

    /// Takes note of an event; `None` when the caller has had it before.
    fn accept(&mut self, event: StreamEvent) -> Option<StreamEvent> {
        let id = event.event_id().filter(|id| !id.as_str().is_empty());
        if self.catching_up && self.is_old(&event, id.as_ref()) {
            return None;
        }
        // Some servers put in events without an id, which say nothing of where they stand.
        self.catching_up &= id.is_none();
        self.fruitless = 0;
        if !matches!(event, StreamEvent::Created(_) | StreamEvent::StatusUpdate(_)) {
            self.barren = 0;
        }
        self.delivered = true;
        self.take_place(&event, id);
        self.span.event(&event);
        if let Some(hops) = &mut self.hops {
            hops.observe(&event);
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.push(&event);
        }
        match &event {
            StreamEvent::Created(created) => {
                self.completed = false;
                self.name(&created.interaction.id);
            }
            StreamEvent::Completed(completed) => {
                self.completed = true;
                self.name(&completed.interaction.id);
                if self.route.warns && completed.interaction.status == Status::RequiresContinuation
                {
                    telemetry::note_incomplete();
                }
                // Nothing more can come, but for the end of the stream.
                self.hurry();
            }
            StreamEvent::StatusUpdate(update) => self.name(&update.interaction_id),
            _ => {}
        }
        if let StreamEvent::Error(event) = event {
            self.failure.get_or_insert_with(|| Error::event(event.error.unwrap_or_default()));
            self.hurry();
            return None;
        }
        // What follows an error tells how the interaction ended, which the error then carries.
        self.failure.is_none().then_some(event)
    }

    /// Notes from where the stream can be gone on.
    fn take_place(&mut self, event: &StreamEvent, id: Option<EventId>) {
        if let Some(id) = id {
            self.seen.note(&id);
            self.unplaced.place();
            self.last_event_id = Some(id);
        } else if matches!(event, StreamEvent::Created(_)) {
            self.last_event_id = None;
        } else if self.last_event_id.is_some() {
            self.unplaced.note(event);
        }
    }

    fn hurry(&mut self) {
        if let Source::Live(frames) = &mut self.source {
            frames.hurry(LAST_WORDS);
        }
    }

    /// Whether a server that was asked to go on repeats what came before.
    fn is_old(&mut self, event: &StreamEvent, id: Option<&EventId>) -> bool {
        // A server that ignores `last_event_id` begins anew; then all is old up to the last event.
        self.anew |= matches!(event, StreamEvent::Created(_)) && self.delivered;
        let is_last = id.is_some() && id == self.last_event_id.as_ref();
        let old = self.anew
            || match id {
                Some(id) => is_last || self.seen.contains(id),
                None => self.unplaced.is_repeated(event),
            };
        self.anew &= !is_last;
        old
    }

    fn name(&mut self, id: &InteractionId) {
        if !id.as_str().is_empty() {
            self.id = Some(id.clone());
        }
    }

    /// Finds out how the stream goes on after a response has ended.
    ///
    /// `reason` is why it ended before the interaction did. Without a way on, it is the error.
    fn go_on(&mut self, reason: Option<Error>) -> Result<Source, Error> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let Some(reason) = reason else {
            return Ok(match self.hops.as_mut().and_then(|hops| hops.next(false)) {
                Some(next) => self.hop(next, None, Duration::ZERO),
                None => Source::Over,
            });
        };
        if !reason.is_a_break() || self.route.deadline.is_over() {
            return Err(reason);
        }
        if let Some(id) = self.resumable() {
            return Ok(self.resume(&id, reason));
        }
        let next = self.hops.as_mut().and_then(|hops| hops.next(true));
        match next {
            Some(next) => {
                let wait = pause(self.hops.as_ref().map_or(0, Hops::fruitless));
                Ok(self.hop(next, Some(reason), wait))
            }
            None => Err(reason),
        }
    }

    /// The stored interaction whose events can be asked for again.
    fn resumable(&self) -> Option<InteractionId> {
        let placed = match &self.last_event_id {
            Some(_) => self.unplaced.is_known(),
            None => !self.delivered,
        };
        let id = self.id.clone().filter(|_| self.route.stored && placed);
        id.filter(|_| self.fruitless < FRUITLESS)
    }

    fn resume(&mut self, id: &InteractionId, reason: Error) -> Source {
        let wait = pause(self.fruitless.max(self.barren));
        (self.fruitless, self.barren) = (self.fruitless + 1, self.barren.saturating_add(1));
        let (client, options) = (self.route.client.clone(), self.route.options.clone());
        let (deadline, last) = (self.route.deadline, self.last_event_id.clone());
        let url = events_url(&client, id, last.as_ref());
        let opening = async move {
            if !deadline.sleep(wait).await {
                return Err(Error::deadline("the time limit ran out"));
            }
            let draft = Draft::new(Method::GET, url?).events();
            expect_events(client.exchange(draft, &options, deadline).await?, deadline).await
        };
        Source::Opening { response: opening.boxed(), reason: Some(reason), resumes: true }
    }

    fn hop(&self, next: CreateInteraction, reason: Option<Error>, wait: Duration) -> Source {
        let (client, options) = (self.route.client.clone(), self.route.options.for_next_hop());
        let deadline = self.route.deadline;
        let opening = async move {
            if !deadline.sleep(wait).await {
                return Err(Error::deadline("the time limit ran out before the next hop"));
            }
            let url = client.url(&["interactions"])?;
            let draft = Draft::new(Method::POST, url).json(options.encode(&next)?).events();
            expect_events(client.exchange(draft, &options, deadline).await?, deadline).await
        };
        Source::Opening { response: opening.boxed(), reason, resumes: false }
    }

    fn open(
        &mut self,
        response: Result<Response<Body>, Error>,
        reason: Option<Error>,
        resumes: bool,
    ) -> Result<Source, Error> {
        let error = match response {
            Ok(response) => {
                (self.catching_up, self.anew) = (resumes, false);
                if resumes {
                    self.unplaced.resume();
                } else {
                    self.begin_hop();
                }
                let frames = Frames::open(response, self.route.limits());
                return Ok(Source::Live(Box::new(frames)));
            }
            Err(error) => error,
        };
        if self.route.deadline.is_over() {
            return Err(match reason {
                Some(reason) => reason.not_resumed(&error),
                None => error,
            });
        }
        // The service may be away for longer than one call's retries.
        if resumes
            && error.is_transient()
            && let Some(id) = self.resumable()
        {
            return Ok(self.resume(&id, reason.unwrap_or(error)));
        }
        // No answer to the request for the next hop is a hop that broke before it began.
        if !resumes
            && error.is_a_break()
            && let Some(next) = self.hops.as_mut().and_then(|hops| hops.next(true))
        {
            let wait = pause(self.hops.as_ref().map_or(0, Hops::fruitless));
            return Ok(self.hop(next, Some(reason.unwrap_or(error)), wait));
        }
        // A service that does not keep events may still have handed out a checkpoint.
        if resumes && !error.is_timeout() {
            self.route.stored = false;
            if let Some(next) = self.hops.as_mut().and_then(|hops| hops.next(true)) {
                return Ok(self.hop(next, reason, Duration::ZERO));
            }
        }
        Err(match reason {
            Some(reason) => reason.not_resumed(&error),
            None => error,
        })
    }

    /// Forgets the interaction before: in another one, event ids may be the same.
    fn begin_hop(&mut self) {
        self.seen.clear();
        self.unplaced = Unplaced::default();
        self.last_event_id = None;
        self.delivered = false;
        self.completed = false;
        self.id = None;
        if let Some(transcript) = &mut self.transcript {
            transcript.begin_hop();
        }
    }

    fn fail(&mut self, error: Error) -> Error {
        let error = error.named(&self.request_id().map(str::to_owned));
        self.source = Source::Over;
        let error = match self.hops.as_ref().and_then(Hops::checkpoint) {
            Some(checkpoint) => error.interrupted(checkpoint),
            None => error,
        };
        let error = error.with_partial(self.interaction());
        self.span.error(&error);
        error
    }
}

/// The address of a stored interaction's events.
pub(crate) fn events_url(
    client: &Client,
    id: &InteractionId,
    after: Option<&EventId>,
) -> Result<Url, Error> {
    let mut url = client.url(&["interactions", id.as_str()])?;
    url.query_pairs_mut().append_pair("stream", "true");
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("last_event_id", after.as_str());
    }
    Ok(url)
}

/// How long to wait before a stream is taken up again: not at all at first.
fn pause(fruitless: u32) -> Duration {
    match fruitless {
        0 => Duration::ZERO,
        tries => {
            let doubled = Duration::from_millis(250).saturating_mul(2_u32.saturating_pow(tries));
            doubled.min(LONGEST_PAUSE)
        }
    }
}

impl Stream for EventStream {
    type Item = Result<StreamEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let next = match &mut this.source {
                Source::Over => return Poll::Ready(None),
                Source::Opening { response, .. } => {
                    let response = ready!(response.poll_unpin(cx));
                    match std::mem::replace(&mut this.source, Source::Over) {
                        Source::Opening { reason, resumes, .. } => {
                            this.open(response, reason, resumes)
                        }
                        _ => return Poll::Ready(None),
                    }
                }
                Source::Live(frames) => match ready!(frames.poll_next_unpin(cx)) {
                    Some(Ok(event)) => match this.accept(event) {
                        None if this.failure.is_some() && this.completed => this.go_on(None),
                        None => continue,
                        Some(event) => return Poll::Ready(Some(Ok(event))),
                    },
                    Some(Err(_)) if this.completed => this.go_on(None),
                    Some(Err(error)) => this.go_on(Some(error)),
                    None if this.completed => this.go_on(None),
                    None => this.go_on(Some(Error::broken_off(
                        "the stream ended without `interaction.completed`",
                    ))),
                },
            };
            match next {
                Ok(source) => {
                    if matches!(source, Source::Over)
                        && this.span.is_recording()
                        && let Some(whole) = this.interaction()
                    {
                        this.span.interaction(&whole);
                    }
                    this.source = source;
                }
                Err(error) => {
                    let error = this.fail(error);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("id", &self.id)
            .field("last_event_id", &self.last_event_id)
            .field("completed", &self.completed)
            .finish_non_exhaustive()
    }
}
