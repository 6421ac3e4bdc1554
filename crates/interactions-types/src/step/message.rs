//! What the user said and what the model answered.

use crate::wire::object;
use crate::{Content, RpcStatus};

object! {
    /// What the user said: one turn of one or more parts.
    pub struct UserInput as "type" = "user_input" {
        required {
            /// The parts.
            content: Vec<Content>,
        }
    }
}

object! {
    /// What the model answered.
    pub struct ModelOutput as "type" = "model_output" {
        required {}
        default {
            /// The parts, in the order in which they were made.
            content: Vec<Content>,
        }
        optional {
            /// Why the answer broke off, if it did.
            error: RpcStatus,
        }
    }
}
