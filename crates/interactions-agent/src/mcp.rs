//! Feature `mcp`: MCP servers as tools.

use std::time::Duration;

use async_trait::async_trait;
use interactions_mcp::{McpError, McpServer, McpTool};
use interactions_types::{Function, JsonObject, ToolOutput};

use crate::{Tool, ToolContext, ToolError};

/// The agent's own limit is usually shorter; this one only keeps a call from lasting for ever.
const LONGEST: Duration = Duration::from_secs(600);

/// One tool of an MCP server as a [`Tool`]; made by [`mcp_tools`].
#[derive(Clone, Debug)]
pub struct McpServerTool {
    server: McpServer,
    tool: McpTool,
}

/// The tools of an MCP server.
///
/// # Errors
/// [`McpError`] when they cannot be listed.
pub async fn mcp_tools(server: &McpServer) -> Result<Vec<McpServerTool>, McpError> {
    let tools = server.tools().await?;
    Ok(tools.into_iter().map(|tool| McpServerTool { server: server.clone(), tool }).collect())
}

#[async_trait]
impl Tool for McpServerTool {
    fn declaration(&self) -> Function {
        self.tool.declaration()
    }

    async fn call(&self, _: ToolContext, arguments: JsonObject) -> Result<ToolOutput, ToolError> {
        let reply =
            self.server.call(&self.tool.name, arguments, LONGEST).await.map_err(ToolError::new)?;
        let failed = reply.is_error;
        let output = reply.into_output();
        if failed { Err(ToolError::new(output.to_text())) } else { Ok(output) }
    }
}
