//! Tools that a request offers to the model, and how the model may choose among them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::untagged::NameOr;
use crate::wire::{object, open_enum, union};

union! {
    /// A tool (`type` tells the kind).
    pub enum Tool by "type" {
        /// A function that the client runs.
        Function(Function) = "function",
        /// A remote MCP server whose tools the service runs.
        McpServer(McpServer) = "mcp_server",
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

/// How the model may choose tools: a mode, or a mode limited to some tools.
pub type ToolChoice = NameOr<ToolChoiceMode, ToolChoiceConfig>;

impl From<ToolChoiceMode> for ToolChoice {
    fn from(mode: ToolChoiceMode) -> Self {
        Self::Name(mode)
    }
}

open_enum! {
    /// Whether the model may, must or must not call tools.
    pub enum ToolChoiceMode {
        /// The model decides.
        Auto = "auto",
        /// The model must call a tool.
        Any = "any",
        /// The model must not call a tool.
        None = "none",
        /// The model decides, and arguments are held to their schema.
        Validated = "validated",
    }
}

object! {
    /// A choice limited to some tools.
    pub struct ToolChoiceConfig {
        required {}
        optional {
            /// The tools and the mode.
            allowed_tools: AllowedTools,
        }
    }
}

object! {
    /// Names of tools that may be called.
    pub struct AllowedTools {
        required {}
        optional {
            /// Whether one of them must be called.
            mode: ToolChoiceMode,
            /// The tools' names.
            tools: Vec<String>,
        }
    }
}
