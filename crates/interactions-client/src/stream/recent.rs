//! Which events a caller has had lately.

use std::collections::VecDeque;

use interactions_types::EventId;

/// Servers that repeat events after a stream is taken up again repeat a few, not thousands.
const KEPT: usize = 256;

/// The last event ids, as hashes, so that a long stream costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<u64>);

impl Recent {
    pub(super) fn note(&mut self, id: &EventId) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(hash(id));
    }

    /// Is asked only while a stream catches up, so looking through all is quick enough.
    pub(super) fn contains(&self, id: &EventId) -> bool {
        self.0.contains(&hash(id))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// FNV-1a: ids are short, and nobody gains by a collision in a stream of their own.
fn hash(id: &EventId) -> u64 {
    id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_last_events_and_forgets_the_old_ones() {
        let mut recent = Recent::default();
        let id = |number: usize| EventId::from(format!("e{number}"));
        (0..=KEPT).for_each(|number| recent.note(&id(number)));
        assert!(recent.contains(&id(1)) && recent.contains(&id(KEPT)));
        assert!(!recent.contains(&id(0)) && !recent.contains(&id(KEPT + 1)));
        recent.clear();
        assert!(!recent.contains(&id(1)));
    }
}
