//! Steps: what happened in an interaction, in order.

mod code_execution;
mod file_search;
mod function;
mod google_maps;
mod google_search;
mod mcp;
mod message;
mod processing;
mod retrieval;
mod thought;
mod tool_search;
mod url_context;

use crate::Content;
use crate::wire::union;

pub use code_execution::{
    CodeExecutionArguments, CodeExecutionCall, CodeExecutionResult, CodeLanguage,
};
pub use file_search::{FileSearchCall, FileSearchResult};
pub use function::{FunctionCall, FunctionResult};
pub use google_maps::{
    GoogleMapsArguments, GoogleMapsCall, GoogleMapsEntry, GoogleMapsResult, Place,
};
pub use google_search::{
    GoogleSearchArguments, GoogleSearchCall, GoogleSearchEntry, GoogleSearchResult, SearchType,
};
pub use mcp::{McpServerToolCall, McpServerToolResult};
pub use message::{ModelOutput, UserInput};
pub use processing::{ProcessingCall, ProcessingResult};
pub use retrieval::{RetrievalArguments, RetrievalCall, RetrievalResult, RetrievalType};
pub use thought::Thought;
pub use tool_search::{ToolSearchArguments, ToolSearchCall, ToolSearchResult};
pub use url_context::{
    UrlContextArguments, UrlContextCall, UrlContextEntry, UrlContextResult, UrlStatus,
};

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
        /// Code that the service runs.
        CodeExecutionCall(CodeExecutionCall) = "code_execution_call",
        /// What that code printed or made.
        CodeExecutionResult(CodeExecutionResult) = "code_execution_result",
        /// A search with Google.
        GoogleSearchCall(GoogleSearchCall) = "google_search_call",
        /// What the search found.
        GoogleSearchResult(GoogleSearchResult) = "google_search_result",
        /// Pages that the service reads.
        UrlContextCall(UrlContextCall) = "url_context_call",
        /// How reading them went.
        UrlContextResult(UrlContextResult) = "url_context_result",
        /// A search in file stores.
        FileSearchCall(FileSearchCall) = "file_search_call",
        /// The end of that search.
        FileSearchResult(FileSearchResult) = "file_search_result",
        /// A search on the map.
        GoogleMapsCall(GoogleMapsCall) = "google_maps_call",
        /// What the map shows.
        GoogleMapsResult(GoogleMapsResult) = "google_maps_result",
        /// A search in engines or stores of the caller.
        RetrievalCall(RetrievalCall) = "retrieval_call",
        /// The end of that search.
        RetrievalResult(RetrievalResult) = "retrieval_result",
        /// The model asks for deferred functions.
        ToolSearchCall(ToolSearchCall) = "tool_search_call",
        /// Those functions.
        ToolSearchResult(ToolSearchResult) = "tool_search_result",
        /// The service looks at media more closely.
        ProcessingCall(ProcessingCall) = "processing_call",
        /// The end of that look.
        ProcessingResult(ProcessingResult) = "processing_result",
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
