//! The journal of one run: events get their numbers and ids, are persisted, and only then seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interactions_types::{
    AccumulateError, Accumulator, ApiError, Delta, ErrorEvent, Interaction, InteractionCompleted,
    InteractionCreated, InteractionId, Status, StatusUpdate, Step, StepDelta, StepStart, StepStop,
    StreamEvent,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use super::feed::event_id;
use super::nesting::{DEEPEST, Nesting};
use crate::store::{
    Chunk, Ending, Lease, LoggedEvent, NewInteraction, Progress, Store, StoreError, StoreErrorKind,
};

/// A chunk is committed when it has this many events or bytes, or when the model pauses.
const CHUNK_EVENTS: usize = 64;
const CHUNK_BYTES: usize = 32 * 1024;
/// How often a write is tried again while the store is unavailable.
const TRIES: u32 = 6;

/// Where the events of a run go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Into the log, then to whoever follows.
    Stored {
        store: Arc<dyn Store>,
        lease: Lease,
        feed: broadcast::Sender<Arc<Chunk>>,
        /// Present until the interaction itself is stored, with its first events.
        birth: Option<Box<Birth>>,
    },
    /// To the one caller who waits for them.
    Live(mpsc::Sender<Arc<Chunk>>),
    /// Nowhere: the caller waits for the result only.
    Nobody,
}

impl Sink {
    pub(super) fn stored(
        store: Arc<dyn Store>,
        lease: Lease,
        feed: broadcast::Sender<Arc<Chunk>>,
    ) -> Self {
        Self::Stored { store, lease, feed, birth: None }
    }

    /// For an interaction that is stored with its first events.
    pub(super) fn unborn(
        store: Arc<dyn Store>,
        lease: Lease,
        feed: broadcast::Sender<Arc<Chunk>>,
        birth: Birth,
    ) -> Self {
        Self::Stored { store, lease, feed, birth: Some(Box::new(birth)) }
    }
}

/// An interaction that is not stored yet.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) new: NewInteraction,
    /// Until when it may wait for the run to end: nobody is told of it before.
    pub(super) due: Instant,
    /// Set when it is stored.
    pub(super) born: Arc<AtomicBool>,
    /// Told when it is stored, or why not.
    pub(super) told: oneshot::Sender<Result<(), StoreError>>,
}

impl Birth {
    async fn happen(
        self,
        store: &dyn Store,
        chunk: Option<&Chunk>,
        ending: Option<&Ending>,
    ) -> Result<(), Halted> {
        let inserted = store.insert(&self.new, chunk, ending).await;
        self.born.store(inserted.is_ok(), Ordering::Release);
        let halted = if inserted.is_ok() { Ok(()) } else { Err(Halted::Unborn) };
        // Whoever asked for it may have gone.
        let _ = self.told.send(inserted);
        halted
    }
}

/// Why a run must stop without an ending of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halted {
    /// The lease is lost, or the store stays unavailable: another attempt will finish the run.
    Abandoned,
    /// It could not be stored, and nobody was told that it was.
    Unborn,
    /// The only caller of a run that is not stored has gone.
    Deserted,
}

/// Writes the events of one run.
#[derive(Debug)]
pub(super) struct Journal {
    id: InteractionId,
    sink: Sink,
    next_seq: u64,
    next_index: i64,
    open: Option<i64>,
    /// Calls that are closed although their arguments are not whole.
    broken: Vec<i64>,
    /// The argument text of the open call.
    arguments: Nesting,
    too_deep: bool,
    pending: Vec<LoggedEvent>,
    pending_bytes: usize,
    /// What is to be written beside the next events.
    progress: Option<Progress>,
    accumulator: Accumulator,
}

impl Journal {
    pub(super) fn new(id: InteractionId, sink: Sink) -> Self {
        Self {
            id,
            sink,
            next_seq: 1,
            next_index: 0,
            open: None,
            broken: Vec::new(),
            arguments: Nesting::default(),
            too_deep: false,
            pending: Vec::new(),
            pending_bytes: 0,
            progress: None,
            accumulator: Accumulator::new(),
        }
    }

    /// Goes on after the events that an earlier attempt has logged.
    ///
    /// What was sent stays as it was sent; a step that was left open is closed by the caller.
    pub(super) fn resume(mut self, logged: &[Chunk]) -> Self {
        for event in logged.iter().flat_map(|chunk| &chunk.events) {
            let Ok(event) = StreamEvent::decode(Some(&event.kind), event.json.as_bytes()) else {
                continue;
            };
            match &event {
                StreamEvent::StepStart(start) => {
                    self.open = Some(start.index);
                    self.next_index = start.index + 1;
                }
                StreamEvent::StepStop(_) => self.open = None,
                _ => {}
            }
            let accumulated = self.accumulator.push(&event);
            if let (StreamEvent::StepStop(stop), Err(_)) = (&event, accumulated) {
                self.broken.push(stop.index);
            }
        }
        self.next_seq = logged.last().map_or(0, Chunk::last_seq) + 1;
        self
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.accumulator.interaction().steps
    }

    pub(super) fn has_begun(&self) -> bool {
        self.next_seq > 1 || !self.pending.is_empty()
    }

    pub(super) fn created(&mut self, interaction: Interaction) {
        self.emit(InteractionCreated::new(interaction).into());
    }

    pub(super) fn status(&mut self, status: Status) {
        self.emit(StatusUpdate::new(&self.id, status).into());
    }

    pub(super) fn start(&mut self, step: impl Into<Step>) {
        let index = self.next_index;
        self.emit(StepStart::new(index, step).into());
        if !self.too_deep {
            self.next_index += 1;
            self.open = Some(index);
            self.arguments = Nesting::default();
        }
    }

    pub(super) fn delta(&mut self, delta: impl Into<Delta>) {
        let Some(index) = self.open else {
            return;
        };
        let delta = delta.into();
        if let Delta::Arguments(more) = &delta {
            let levels = self.arguments.read(more.arguments.as_deref().unwrap_or_default());
            // They stand in a step in an event.
            self.too_deep |= levels + 2 > DEEPEST;
        }
        self.emit(StepDelta::new(index, delta).into());
    }

    /// Whether something was left out because it is nested too deeply to be read back.
    pub(super) fn is_too_deep(&self) -> bool {
        self.too_deep
    }

    /// Ends the open step.
    ///
    /// # Errors
    /// When the arguments of a function call turn out not to be a JSON object. The step is over all the same.
    pub(super) fn stop(&mut self) -> Result<(), AccumulateError> {
        let Some(index) = self.open.take() else {
            return Ok(());
        };
        let stopped = self.record(StepStop::new(index).into());
        if stopped.is_err() {
            self.broken.push(index);
        }
        stopped
    }

    /// Ends the open step before it is whole.
    ///
    /// A status says so, for whoever has to know that what comes next begins anew.
    pub(super) fn break_off(&mut self) {
        let open = self.open;
        if self.stop().is_ok() {
            self.broken.extend(open);
        }
        if open.is_some() {
            self.status(Status::InProgress);
        }
    }

    /// The calls that were broken off since the last time.
    pub(super) fn take_broken(&mut self) -> Vec<Step> {
        if self.broken.is_empty() {
            return Vec::new();
        }
        // A step's index is its position: this journal has counted them.
        let broken: Vec<usize> = std::mem::take(&mut self.broken)
            .into_iter()
            .filter_map(|index| usize::try_from(index).ok())
            .collect();
        let steps = self.steps().into_iter().enumerate();
        steps.filter(|(at, _)| broken.contains(at)).map(|(_, step)| step).collect()
    }

    /// Says what the run has cost and met with so far.
    pub(super) fn note(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    pub(super) fn error(&mut self, error: ApiError) {
        self.emit(ErrorEvent::new().error(error).into());
    }

    fn emit(&mut self, event: StreamEvent) {
        // Only the end of a call's arguments can fail to accumulate, and `stop` reports that.
        let _ = self.record(event);
    }

    /// Takes an event in, or leaves it out when nobody could read it back.
    fn record(&mut self, mut event: StreamEvent) -> Result<(), AccumulateError> {
        let seq = self.next_seq + self.pending.len() as u64;
        if matches!(self.sink, Sink::Stored { .. }) {
            event = event.with_event_id(event_id(&self.id, seq));
        }
        // Every event type serialises to JSON: its fields are strings, numbers, maps and lists.
        let json = serde_json::to_string(&event).unwrap_or_default();
        if matches!(event, StreamEvent::StepStart(_) | StreamEvent::StepDelta(_)) {
            self.too_deep |= Nesting::of(&json) > DEEPEST;
            if self.too_deep {
                return Ok(());
            }
        }
        let accumulated = self.accumulator.push(&event);
        self.pending_bytes += json.len();
        self.pending.push(LoggedEvent::new(event.kind(), json));
        accumulated
    }

    /// How long writing can wait, because nobody knows of the interaction yet.
    pub(super) fn leisure(&self) -> Duration {
        match &self.sink {
            Sink::Stored { birth: Some(birth), .. } => {
                birth.due.saturating_duration_since(Instant::now())
            }
            _ => Duration::ZERO,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= CHUNK_EVENTS || self.pending_bytes >= CHUNK_BYTES
    }

    /// Persists what was noted, now, although nothing has been written beside it.
    pub(super) async fn flush_progress(&mut self) -> Result<(), Halted> {
        // What is not on record yet is, with the first of these.
        self.flush().await?;
        if self.progress.is_some() && matches!(self.sink, Sink::Stored { .. }) {
            self.status(Status::InProgress);
            self.flush().await?;
        }
        Ok(())
    }

    /// Persists and shows what has been written since the last time.
    ///
    /// Not to be dropped half-way: it could be unknown then whether a chunk was committed.
    pub(super) async fn flush(&mut self) -> Result<(), Halted> {
        let Some(chunk) = self.take_chunk() else {
            return Ok(());
        };
        match &mut self.sink {
            Sink::Nobody => Ok(()),
            Sink::Live(sender) => sender.send(chunk).await.map_err(|_| Halted::Deserted),
            Sink::Stored { store, lease, feed, birth } => {
                match birth.take() {
                    Some(birth) => birth.happen(store.as_ref(), Some(&chunk), None).await?,
                    None => {
                        let progress = self.progress.take();
                        patiently(|| store.append(lease, &chunk, progress.as_ref())).await?;
                    }
                }
                // Nobody may be following, which is fine.
                let _ = feed.send(chunk);
                Ok(())
            }
        }
    }

    /// Writes the last event and ends the run in the store, in one transaction.
    pub(super) async fn finish(
        &mut self,
        interaction: Interaction,
        ending: Ending,
    ) -> Result<(), Halted> {
        self.emit(InteractionCompleted::new(interaction).into());
        let chunk = self.take_chunk();
        match &mut self.sink {
            Sink::Nobody => Ok(()),
            Sink::Live(sender) => match chunk {
                Some(chunk) => sender.send(chunk).await.map_err(|_| Halted::Deserted),
                None => Ok(()),
            },
            Sink::Stored { store, lease, feed, birth } => {
                let chunk_ref = chunk.as_deref();
                match birth.take() {
                    Some(birth) => birth.happen(store.as_ref(), chunk_ref, Some(&ending)).await?,
                    None => patiently(|| store.finish(lease, chunk_ref, &ending)).await?,
                }
                if let Some(chunk) = chunk {
                    let _ = feed.send(chunk);
                }
                Ok(())
            }
        }
    }

    fn take_chunk(&mut self) -> Option<Arc<Chunk>> {
        if self.pending.is_empty() {
            return None;
        }
        let events = std::mem::take(&mut self.pending);
        let chunk = Chunk::new(self.next_seq, events);
        self.next_seq = chunk.last_seq() + 1;
        self.pending_bytes = 0;
        Some(Arc::new(chunk))
    }
}

/// Repeats a write for a while when the store is unavailable: a full disk may be emptied, a lock may be freed.
async fn patiently<F>(write: impl Fn() -> F) -> Result<(), Halted>
where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut pause = Duration::from_millis(50);
    for _ in 1..TRIES {
        match write().await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                tracing::warn!(%error, "a write failed and is tried again");
                tokio::time::sleep(pause).await;
                pause *= 3;
            }
            Err(error) => {
                tracing::info!(%error, "the run stops here");
                return Err(Halted::Abandoned);
            }
        }
    }
    write().await.map_err(|error| {
        tracing::error!(%error, "the run is given up; it is taken over once the store works again");
        Halted::Abandoned
    })
}
