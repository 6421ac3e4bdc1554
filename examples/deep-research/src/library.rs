//! A small library as an MCP server over standard input and output.

use std::error::Error;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::json;

/// What there is to be found: what is asked for, and what is said about it.
const SHELVES: [(&str, &str); 3] = [
    (
        "what",
        "Light is scattered by particles smaller than its wavelength. [1] Optics for everyone",
    ),
    ("history", "It was explained in the nineteenth century. [2] A history of the sky"),
    ("open questions", "Twilight on other planets is still studied. [3] Letters on atmospheres"),
];

pub(crate) async fn serve() -> Result<(), Box<dyn Error>> {
    let service = Library.serve(rmcp::transport::stdio()).await?;
    service.waiting().await?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Library;

impl ServerHandler for Library {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("library", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({
            "type": "object",
            "properties": {"query": {"type": "string", "description": "What to look for."}},
            "required": ["query"],
        });
        let schema = schema.as_object().cloned().unwrap_or_default();
        let search = Tool::new("search", "Searches the library.", Arc::new(schema));
        Ok(ListToolsResult::with_all_items(vec![search]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let query =
            request.arguments.as_ref().and_then(|it| it["query"].as_str()).unwrap_or_default();
        let found = SHELVES.iter().find(|(shelf, _)| query.contains(shelf)).map(|(_, text)| *text);
        let found = ContentBlock::text(found.unwrap_or("Nothing was found."));
        Ok(CallToolResult::success(vec![found]).into())
    }
}
