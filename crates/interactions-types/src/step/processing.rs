//! Media processing by the service.

use crate::CallId;
use crate::wire::object;

object! {
    /// The service looks at media more closely.
    pub struct ProcessingCall as "type" = "processing_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// The end of that look.
    pub struct ProcessingResult as "type" = "processing_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}
