//! The places of runs in this process: who runs here, and how to stop them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use interactions_types::InteractionId;
use tokio::sync::broadcast;

use super::{Control, Engine};
use crate::store::{Chunk, Lease};

/// A run of this process, as others see it.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// Absent for runs that are not stored.
    pub(super) lease: Option<Lease>,
    pub(super) control: Control,
    /// Whether the interaction is in the store: before that, its lease cannot be extended.
    pub(super) born: Arc<AtomicBool>,
}

/// The place of one attempt at a run. It is free again when this is dropped, however the run ended.
#[derive(Debug)]
pub(super) struct Place {
    engine: Arc<Engine>,
    id: InteractionId,
    lease: Option<Lease>,
    control: Control,
    feed: broadcast::Sender<Arc<Chunk>>,
    born: Arc<AtomicBool>,
}

impl Place {
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    pub(super) fn control(&self) -> Control {
        self.control.clone()
    }

    /// To be set once the interaction is in the store.
    pub(super) fn born(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.born)
    }

    /// Where those listen who follow the run in this process.
    pub(super) fn feed(&self) -> broadcast::Sender<Arc<Chunk>> {
        self.feed.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(id = %self.id, "a run broke down; if it is stored, it is tried again");
            self.engine.note_breakdown(&self.id);
        }
        let mut active = self.engine.lock_active();
        // A later attempt may stand here by now; it keeps its place and its feed.
        if active.get(&self.id).is_some_and(|active| active.lease == self.lease) {
            active.remove(&self.id);
            self.engine.feeds.close(&self.id);
        }
    }
}

impl Engine {
    /// Takes the place of a run. An earlier attempt that still stands there has lost its lease and is let go.
    pub(super) fn occupy(self: &Arc<Self>, id: &InteractionId, lease: Option<&Lease>) -> Place {
        let control = Control::default();
        let lease = lease.cloned();
        // Under one lock with the feed, so that an attempt that leaves cannot close its successor's.
        let mut active = self.lock_active();
        let feed = self.feeds.open(id);
        // Only a first attempt can come before its interaction.
        let born = Arc::new(AtomicBool::new(lease.as_ref().is_some_and(|it| it.attempt > 1)));
        let entry =
            Active { lease: lease.clone(), control: control.clone(), born: Arc::clone(&born) };
        if let Some(displaced) = active.insert(id.clone(), entry) {
            displaced.control.abandon.cancel();
        }
        drop(active);
        Place { engine: Arc::clone(self), id: id.clone(), lease, control, feed, born }
    }

    fn note_breakdown(&self, id: &InteractionId) {
        let mut breakdowns = self.breakdowns.lock().unwrap_or_else(PoisonError::into_inner);
        *breakdowns.entry(id.clone()).or_default() += 1;
    }

    /// How often a run has panicked in this process.
    pub(super) fn breakdowns(&self, id: &InteractionId) -> u32 {
        let breakdowns = self.breakdowns.lock().unwrap_or_else(PoisonError::into_inner);
        breakdowns.get(id).copied().unwrap_or_default()
    }

    /// The leases that this process has to keep alive.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let active = self.lock_active();
        let born = active.values().filter(|run| run.born.load(Ordering::Acquire));
        born.filter_map(|run| run.lease.clone()).collect()
    }

    /// The stored runs of this process.
    pub(super) fn running(&self) -> Vec<InteractionId> {
        let active = self.lock_active();
        active.values().filter_map(|run| Some(run.lease.as_ref()?.id.clone())).collect()
    }
}
