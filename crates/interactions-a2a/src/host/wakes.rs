//! Who waits for a change of a task.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Another process may change a task too, and nobody here is told.
const LOOK: Duration = Duration::from_secs(2);

/// The tasks that somebody listens to.
#[derive(Debug, Default)]
pub(super) struct Wakes(Mutex<HashMap<String, watch::Sender<()>>>);

/// Waits for changes of one task.
#[derive(Debug)]
pub(super) struct Waking(watch::Receiver<()>);

impl Wakes {
    /// Hears of every change from now on.
    pub(super) fn listen(&self, id: &str) -> Waking {
        let mut wakes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = wakes.entry(id.to_owned()).or_insert_with(|| watch::Sender::new(()));
        Waking(sender.subscribe())
    }

    pub(super) fn wake(&self, id: &str) {
        let mut wakes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = wakes.get(id) {
            sender.send_replace(());
            if sender.receiver_count() == 0 {
                wakes.remove(id);
            }
        }
    }
}

impl Waking {
    /// Completes with a change since the last time, and now and then without one.
    pub(super) async fn changed(&mut self) {
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, self.0.changed()).await {
            // Nobody can wake it any more.
            tokio::time::sleep(LOOK).await;
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
        drop(waking);
        wakes.wake("t");
        assert!(wakes.0.lock().unwrap().is_empty());
    }
}
