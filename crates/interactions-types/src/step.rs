//! Steps: what happened in an interaction, in order.

use crate::wire::{object, union};
use crate::{CallId, Content, JsonObject, RpcStatus, ToolOutput};

union! {
    /// One step of an interaction (`type` tells the kind).
    ///
    /// Steps are both the answer of the service and, sent back, the history of a conversation.
    /// Replay them as they came: signatures and unmodelled fields are part of them.
    pub enum Step by "type" {
        /// What the user said.
        UserInput(UserInput) = "user_input",
        /// What the model answered.
        ModelOutput(ModelOutput) = "model_output",
        /// What the model thought, as far as it tells.
        Thought(Thought) = "thought",
        /// A call of a function that the client runs.
        FunctionCall(FunctionCall) = "function_call",
        /// What such a function returned.
        FunctionResult(FunctionResult) = "function_result",
        /// A call of a tool on a remote MCP server, run by the service.
        McpServerToolCall(McpServerToolCall) = "mcp_server_tool_call",
        /// What that tool returned.
        McpServerToolResult(McpServerToolResult) = "mcp_server_tool_result",
    }
}

impl Step {
    /// A user turn of one text.
    #[must_use]
    pub fn user_text(text: impl Into<String>) -> Self {
        UserInput::new(vec![Content::text(text)]).into()
    }

    /// A model answer of one text.
    #[must_use]
    pub fn model_text(text: impl Into<String>) -> Self {
        ModelOutput::new().content(vec![Content::text(text)]).into()
    }
}

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

object! {
    /// A call of a tool on a remote MCP server, run by the service.
    pub struct McpServerToolCall as "type" = "mcp_server_tool_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// The tool's name on that server.
            name: String,
            /// The `name` under which the request declared the server.
            server_name: String,
            /// The tool's arguments.
            arguments: JsonObject,
        }
    }
}

object! {
    /// What a tool on a remote MCP server returned.
    pub struct McpServerToolResult as "type" = "mcp_server_tool_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// What the tool returned.
            result: ToolOutput,
        }
        optional {
            /// The tool's name on that server.
            name: String,
            /// The `name` under which the request declared the server.
            server_name: String,
        }
    }
}
