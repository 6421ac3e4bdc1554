//! Tools of remote MCP servers, run by the service.

use crate::wire::object;
use crate::{CallId, JsonObject, ToolOutput};

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
