//! Who waits for a change of a task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Another process may change a task too, and nobody here is told.
const LOOK: Duration = Duration::from_secs(2);

/// The tasks that somebody listens to.
#[derive(Debug, Default)]
pub(super) struct Wakes(Arc<Mutex<Senders>>);

type Senders = HashMap<String, watch::Sender<()>>;

/// Waits for changes of one task.
#[derive(Debug)]
pub(super) struct Waking {
    id: String,
    changes: watch::Receiver<()>,
    wakes: Arc<Mutex<Senders>>,
}

impl Wakes {
    /// Hears of every change from now on.
    pub(super) fn listen(&self, id: &str) -> Waking {
        let mut wakes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = wakes.entry(id.to_owned()).or_insert_with(|| watch::Sender::new(()));
        let changes = sender.subscribe();
        Waking { id: id.to_owned(), changes, wakes: Arc::clone(&self.0) }
    }

    pub(super) fn wake(&self, id: &str) {
        let wakes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = wakes.get(id) {
            sender.send_replace(());
        }
    }
}

impl Waking {
    /// Completes with a change since the last time, and now and then without one.
    pub(super) async fn changed(&mut self) {
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, self.changes.changed()).await {
            // Nobody can wake it any more.
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one that listens is this one.
        if wakes.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            wakes.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_listens_is_woken_and_who_is_gone_is_forgotten() {
        let wakes = Wakes::default();
        let mut waking = wakes.listen("t");
        wakes.wake("t");
        wakes.wake("other");
        let begin = tokio::time::Instant::now();
        waking.changed().await;
        assert!(begin.elapsed() < LOOK, "a wake before the wait counts");
        waking.changed().await;
        assert_eq!(begin.elapsed(), LOOK, "without a wake it looks by itself");
        let second = wakes.listen("t");
        drop(waking);
        assert_eq!(wakes.0.lock().unwrap().len(), 1);
        drop(second);
        assert!(wakes.0.lock().unwrap().is_empty());
    }
}
