//! Functions that the client runs.

use crate::wire::object;
use crate::{CallId, JsonObject, ToolOutput};

object! {
    /// A call of a function that the client runs.
    ///
    /// Answer it with a [`FunctionResult`] of the same id in a new interaction.
    pub struct FunctionCall as "type" = "function_call" {
        required {
            /// The id to answer with.
            id: CallId,
            /// The function's name.
            name: String,
            /// Its arguments, fitting the declared JSON schema if the model kept to it.
            arguments: JsonObject,
        }
        optional {
            /// A copy of the preceding thought's signature; send it back unmodified.
            signature: String,
        }
    }
}

impl FunctionCall {
    /// The successful result of this call.
    #[must_use]
    pub fn result(&self, output: impl Into<ToolOutput>) -> FunctionResult {
        FunctionResult::new(&self.id, output).name(self.name.clone())
    }

    /// The result of this call that tells the model what went wrong.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> FunctionResult {
        self.result(message.into()).is_error(true)
    }
}

object! {
    /// What a function that the client ran returned.
    pub struct FunctionResult as "type" = "function_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// What the function returned.
            result: ToolOutput,
        }
        optional {
            /// The function's name. Google's service asks for it although it is typed optional.
            name: String,
            /// Whether the function failed and `result` says why.
            is_error: bool,
        }
    }
}
