//! Search in file stores, run by the service.

use crate::CallId;
use crate::wire::object;

object! {
    /// A search in file stores. What was searched for is not told.
    pub struct FileSearchCall as "type" = "file_search_call" {
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
    /// The end of a search in file stores.
    ///
    /// What was found shows as [`FileCitation`](crate::FileCitation)s in the answer's text.
    pub struct FileSearchResult as "type" = "file_search_result" {
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
