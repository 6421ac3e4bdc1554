//! What the model thought.

use crate::Content;
use crate::wire::object;

object! {
    /// What the model thought.
    pub struct Thought as "type" = "thought" {
        required {}
        default {
            /// A summary for people, when summaries were asked for.
            summary: Vec<Content>,
        }
        optional {
            /// Proof of the thought in base64; send it back unmodified.
            signature: String,
        }
    }
}
