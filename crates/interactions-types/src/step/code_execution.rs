//! Code that the service runs.

use crate::wire::{object, open_enum};
use crate::{CallId, ToolOutput};

object! {
    /// Code that the service runs in its sandbox.
    pub struct CodeExecutionCall as "type" = "code_execution_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// The code.
            arguments: CodeExecutionArguments,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// Code to run.
    pub struct CodeExecutionArguments {
        required {}
        optional {
            /// The language it is written in.
            language: CodeLanguage,
            /// The code.
            code: String,
        }
    }
}

object! {
    /// What the code printed or made.
    pub struct CodeExecutionResult as "type" = "code_execution_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// The output, text or contents.
            result: ToolOutput,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

open_enum! {
    /// A language that the service runs.
    pub enum CodeLanguage {
        /// Python.
        Python = "python",
        /// Bash.
        Bash = "bash",
    }
}
