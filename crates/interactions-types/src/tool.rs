//! Tools that a request offers to the model, and how the model may choose among them.

mod choice;
mod computer_use;
mod google;
mod retrieval;
mod tool_search;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::{object, union};

pub use choice::{AllowedTools, ToolChoice, ToolChoiceConfig, ToolChoiceMode};
pub use computer_use::{ComputerEnvironment, ComputerUse, SafetyPolicy};
pub use google::{CodeExecution, FileSearch, GoogleMaps, GoogleSearch, UrlContext};
pub use retrieval::{
    ExaAiSearchConfig, HybridSearch, ParallelAiSearchConfig, RagFilter, RagResource,
    RagRetrievalConfig, RagStoreConfig, RankService, Ranking, Retrieval, VertexAiSearchConfig,
};
pub use tool_search::{ToolSearch, ToolSearchExecution};

union! {
    /// A tool (`type` tells the kind).
    pub enum Tool by "type" {
        /// A function that the client runs.
        Function(Function) = "function",
        /// A remote MCP server whose tools the service runs.
        McpServer(McpServer) = "mcp_server",
        /// Code execution by the service.
        CodeExecution(CodeExecution) = "code_execution",
        /// Google Search.
        GoogleSearch(GoogleSearch) = "google_search",
        /// Pages that the service reads.
        UrlContext(UrlContext) = "url_context",
        /// Search in file stores.
        FileSearch(FileSearch) = "file_search",
        /// Google Maps.
        GoogleMaps(GoogleMaps) = "google_maps",
        /// A computer that the client drives.
        ComputerUse(ComputerUse) = "computer_use",
        /// The search for deferred functions.
        ToolSearch(ToolSearch) = "tool_search",
        /// Search in engines and stores of the caller.
        Retrieval(Retrieval) = "retrieval",
    }
}

object! {
    /// A function that the client runs when the model calls it.
    pub struct Function as "type" = "function" {
        required {
            /// The name the model calls it by.
            name: String,
        }
        optional {
            /// What it does and when to call it, for the model.
            description: String,
            /// Its arguments, a JSON Schema.
            parameters: Value,
            /// Whether the model sees it only after a tool search.
            defer_loading: bool,
            /// What a tool search shows instead of the description.
            short_description: String,
        }
    }
}

object! {
    /// A remote MCP server (streamable HTTP) whose tools the service calls itself.
    pub struct McpServer as "type" = "mcp_server" {
        required {}
        optional {
            /// A label, repeated as `server_name` on the steps of its tools.
            name: String,
            /// The full address of the endpoint.
            url: String,
            /// Headers sent to the server, such as authorization. Secret.
            headers: BTreeMap<String, String> as secret,
            /// Which of its tools the model may call; absent means all.
            allowed_tools: Vec<AllowedTools>,
        }
    }
}
