//! The search for deferred functions.

use crate::wire::object;
use crate::{CallId, Function};

object! {
    /// The model asks for functions whose loading was deferred.
    pub struct ToolSearchCall as "type" = "tool_search_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// What is asked for.
            arguments: ToolSearchArguments,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// What is asked for.
    pub struct ToolSearchArguments {
        required {}
        default {
            /// The names of the functions.
            function_names: Vec<String>,
        }
    }
}

object! {
    /// The functions that the model may call from here on.
    pub struct ToolSearchResult as "type" = "tool_search_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
        }
        default {
            /// The functions, whole.
            result: Vec<Function> as lenient,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}
