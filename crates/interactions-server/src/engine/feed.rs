//! Following: replay from the log, then live, without a gap and without a repetition.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::Stream;
use futures::stream::{self, StreamExt};
use interactions_types::{EventId, InteractionId};
use tokio::sync::broadcast::{self, error::RecvError};

use super::Engine;
use crate::error::Refusal;
use crate::store::{Chunk, LoggedEvent};

/// How many committed chunks a follower may be behind before it reads them from the log instead.
const BEHIND: usize = 256;
/// How many chunks are read from the log at a time.
const AT_ONCE: u32 = 8;
/// How often the log of a run in another process is looked at.
const POLL: Duration = Duration::from_millis(250);

/// The type of the event after which nothing follows.
const LAST: &str = "interaction.completed";

/// The id of an interaction's event number `seq`. Opaque to callers.
pub(super) fn event_id(of: &InteractionId, seq: u64) -> EventId {
    let bytes = [&seq.to_be_bytes()[..], &mark(of)].concat();
    EventId::new(format!("evt_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The number behind an event id; `None` for what is not one of this interaction's.
pub(crate) fn event_seq(of: &InteractionId, id: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(id.strip_prefix("evt_")?).ok()?;
    let (seq, whose) = bytes.split_first_chunk()?;
    (whose == mark(of)).then(|| u64::from_be_bytes(*seq))
}

/// Tells interactions apart, so that nobody resumes one at the place of another by mistake.
fn mark(id: &InteractionId) -> [u8; 4] {
    // FNV-1a: it has to be the same in every process and version.
    let hash = id
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}

/// The runs of this process that can be followed live.
#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<HashMap<InteractionId, broadcast::Sender<Arc<Chunk>>>>);

impl Feeds {
    /// Opens the feed of a run.
    pub(super) fn open(&self, id: &InteractionId) -> broadcast::Sender<Arc<Chunk>> {
        let (sender, _) = broadcast::channel(BEHIND);
        self.lock().insert(id.clone(), sender.clone());
        sender
    }

    pub(super) fn close(&self, id: &InteractionId) {
        self.lock().remove(id);
    }

    fn subscribe(&self, id: &InteractionId) -> Option<broadcast::Receiver<Arc<Chunk>>> {
        self.lock().get(id).map(broadcast::Sender::subscribe)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InteractionId, broadcast::Sender<Arc<Chunk>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a stored interaction, from a place in its log until its end.
pub(crate) struct Following(Pin<Box<dyn Stream<Item = Result<LoggedEvent, Refusal>> + Send>>);

struct Follower {
    engine: Arc<Engine>,
    tenant: String,
    id: InteractionId,
    /// The number of the last event that was passed on.
    seen: u64,
    ready: VecDeque<LoggedEvent>,
    live: Option<broadcast::Receiver<Arc<Chunk>>>,
    /// Whether the log may hold events that were not read yet.
    read_log: bool,
    /// Whether nothing will be added to the log any more.
    complete: bool,
    over: bool,
}

impl Following {
    pub(super) fn new(engine: Arc<Engine>, tenant: String, id: InteractionId, seen: u64) -> Self {
        // Subscribed before the log is read, so that nothing falls in between.
        let live = engine.feeds.subscribe(&id);
        let follower = Follower {
            engine,
            tenant,
            id,
            seen,
            ready: VecDeque::new(),
            live,
            read_log: true,
            complete: false,
            over: false,
        };
        Self(
            stream::unfold(follower, |mut follower| async move {
                loop {
                    if let Some(event) = follower.ready.pop_front() {
                        return Some((Ok(event), follower));
                    }
                    if follower.over {
                        return None;
                    }
                    if let Err(refusal) = follower.advance().await {
                        follower.over = true;
                        return Some((Err(refusal), follower));
                    }
                }
            })
            .boxed(),
        )
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Following(..)")
    }
}

impl Stream for Following {
    type Item = Result<LoggedEvent, Refusal>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl Follower {
    async fn advance(&mut self) -> Result<(), Refusal> {
        if self.read_log {
            let chunks = self.engine.store.events_after(&self.id, self.seen, AT_ONCE).await?;
            self.read_log = chunks.len() == AT_ONCE as usize;
            for chunk in &chunks {
                self.pass_on(chunk);
            }
            self.over |= self.complete && !self.read_log;
            return Ok(());
        }
        let Some(live) = &mut self.live else {
            return self.poll().await;
        };
        match live.recv().await {
            Ok(chunk) if chunk.first_seq > self.seen + 1 => self.read_log = true,
            Ok(chunk) => self.pass_on(&chunk),
            Err(RecvError::Lagged(_)) => self.read_log = true,
            Err(RecvError::Closed) => {
                self.live = None;
                self.read_log = true;
            }
        }
        Ok(())
    }

    /// Waits for a run that is not in this process, and notices when there is nothing to wait for.
    async fn poll(&mut self) -> Result<(), Refusal> {
        let status = self.engine.store.status(&self.tenant, &self.id).await?;
        let running = status.is_some_and(|status| status.is_running());
        if running && self.engine.closing.is_cancelled() {
            // Cut off in the middle, so that the reader resumes elsewhere or later.
            self.over = true;
        } else if running {
            tokio::time::sleep(POLL).await;
            // It may have been taken over by this process meanwhile.
            self.live = self.engine.feeds.subscribe(&self.id);
        } else {
            // The end may have been written between the last look at the log and now.
            self.complete = true;
        }
        self.read_log = true;
        Ok(())
    }

    fn pass_on(&mut self, chunk: &Chunk) {
        let fresh =
            usize::try_from((self.seen + 1).saturating_sub(chunk.first_seq)).unwrap_or(usize::MAX);
        for event in chunk.events.iter().skip(fresh) {
            if self.over {
                break;
            }
            self.over = event.kind == LAST;
            self.ready.push_back(event.clone());
        }
        self.seen = self.seen.max(chunk.last_seq());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_are_opaque_and_come_back() {
        let (mine, other) = (InteractionId::from("v1_a"), InteractionId::from("v1_b"));
        for seq in [1, 2, 255, 256, u64::MAX] {
            let id = event_id(&mine, seq);
            assert_eq!(event_seq(&mine, id.as_str()), Some(seq));
            assert_eq!(event_seq(&other, id.as_str()), None);
        }
        for foreign in ["", "evt_", "evt_x", "1", "evt_AAAAAAAAAAAA", "evt_é"] {
            assert_eq!(event_seq(&mine, foreign), None, "{foreign}");
        }
    }
}
