//! The events since the last one with an id.
//!
//! Not every event need have an id. A stream that is taken up after the last id then begins with
//! events that the caller has had, and only what they say tells so.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use interactions_types::StreamEvent;

/// Beyond this the place is lost: such a stream cannot be taken up without repeating.
const KEPT: usize = 16 * 1024;

/// Hashes of the events since the last id.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    since: Vec<u64>,
    lost: bool,
    /// What a resumed stream repeats at first, as far as it does.
    repeated: VecDeque<u64>,
}

impl Unplaced {
    /// Notes an event without an id.
    pub(super) fn note(&mut self, event: &StreamEvent) {
        if self.since.len() == KEPT {
            (self.lost, self.since) = (true, Vec::new());
        }
        if !self.lost {
            self.since.push(hash(event));
        }
    }

    /// An event with an id came: from there it can be gone on.
    pub(super) fn place(&mut self) {
        self.since.clear();
        self.lost = false;
    }

    /// Whether the events since the last id are known.
    pub(super) fn is_known(&self) -> bool {
        !self.lost
    }

    /// The stream was taken up after the last id.
    pub(super) fn resume(&mut self) {
        self.repeated = self.since.iter().copied().collect();
    }

    /// Whether an event without an id is the next of those that were had before.
    pub(super) fn is_repeated(&mut self, event: &StreamEvent) -> bool {
        match self.repeated.front() {
            Some(expected) if *expected == hash(event) => {
                self.repeated.pop_front();
                true
            }
            _ => false,
        }
    }
}

fn hash(event: &StreamEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Every event can be written; one that could not would count as like any other such.
    hasher.write(&serde_json::to_vec(event).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use interactions_types::StepStop;

    use super::*;

    #[test]
    fn what_came_since_the_last_id_is_recognised_once_and_in_order() {
        let event = |index: i64| StreamEvent::from(StepStop::new(index));
        let mut unplaced = Unplaced::default();
        unplaced.note(&event(0));
        unplaced.place();
        unplaced.note(&event(1));
        unplaced.note(&event(2));
        assert!(!unplaced.is_repeated(&event(1)), "nothing is repeated before it is taken up");
        unplaced.resume();
        assert!(!unplaced.is_repeated(&event(2)));
        assert!(unplaced.is_repeated(&event(1)));
        assert!(unplaced.is_repeated(&event(2)));
        assert!(!unplaced.is_repeated(&event(2)));
        unplaced.resume();
        assert!(unplaced.is_repeated(&event(1)), "it may break again");
    }

    #[test]
    fn too_many_lose_the_place_until_the_next_id() {
        let mut unplaced = Unplaced::default();
        (0..=KEPT).for_each(|_| unplaced.note(&StepStop::new(0).into()));
        assert!(!unplaced.is_known());
        unplaced.place();
        assert!(unplaced.is_known());
    }
}
