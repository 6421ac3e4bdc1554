//! Ids of what the server makes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secrets::random;

/// A new unguessable id.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(noise::<18>()))
}

/// A new unguessable id that sorts behind those of earlier milliseconds, so that what is new lies
/// together in the indexes of a store. It tells no more than `created` does.
pub(super) fn new_interaction_id(prefix: &str, now: i64) -> String {
    let mut id = format!("{prefix}{now:012x}");
    for byte in noise::<15>() {
        // Writing to a string does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

fn noise<const N: usize>() -> [u8; N] {
    // Without randomness ids would repeat and tenants could read each other; stopping is right.
    random::<N>().expect("the operating system has random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_interactions_sort_by_time_and_never_repeat() {
        let now = crate::clock::now();
        let ids: Vec<String> =
            (0..100).map(|later| new_interaction_id("v1_", now + later)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_ne!(new_interaction_id("v1_", now), new_interaction_id("v1_", now));
        assert_eq!(ids[0].len(), "v1_".len() + 12 + 30);
    }
}
