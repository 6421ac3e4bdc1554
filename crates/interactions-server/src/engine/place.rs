//! The places of runs in this process: who runs here, and how to stop them.

use std::sync::Arc;

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
}

/// The place of one attempt at a run. It is free again when this is dropped, however the run ended.
#[derive(Debug)]
pub(super) struct Place {
    engine: Arc<Engine>,
    id: InteractionId,
    lease: Option<Lease>,
    control: Control,
    feed: broadcast::Sender<Arc<Chunk>>,
}

impl Place {
    pub(super) fn control(&self) -> Control {
        self.control.clone()
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
        let entry = Active { lease: lease.clone(), control: control.clone() };
        if let Some(displaced) = active.insert(id.clone(), entry) {
            displaced.control.abandon.cancel();
        }
        drop(active);
        Place { engine: Arc::clone(self), id: id.clone(), lease, control, feed }
    }

    /// The stored runs of this process.
    pub(super) fn running(&self) -> Vec<InteractionId> {
        let active = self.lock_active();
        active.values().filter_map(|run| Some(run.lease.as_ref()?.id.clone())).collect()
    }
}
