//! Feature `mcp`: MCP servers as tools.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interactions_mcp::{McpCommand, McpEndpoint, McpError, McpQuestion, McpServer, McpTool};
use interactions_transport::SharedTransport;
use interactions_types::{Function, JsonObject, ToolOutput};
use tokio::sync::Mutex;

use crate::{Approval, RunState, Tool, ToolContext, ToolError, ToolRules, Toolset};

/// The agent's own limit is usually shorter; this one only keeps a call from lasting for ever.
const LONGEST: Duration = Duration::from_secs(600);
/// How long a server may take to greet and to list its tools.
const GREETING: Duration = Duration::from_secs(20);

/// One tool of an MCP server as a [`Tool`]; made by [`mcp_tools`] and [`McpTools`].
#[derive(Clone, Debug)]
pub struct McpServerTool {
    server: McpServer,
    tool: McpTool,
    approval: Approval,
}

/// The tools that an MCP server has now.
///
/// # Errors
/// [`McpError`] when they cannot be listed.
pub async fn mcp_tools(server: &McpServer) -> Result<Vec<McpServerTool>, McpError> {
    let tools = server.tools().await?;
    let tool = |tool| McpServerTool { server: server.clone(), tool, approval: Approval::Never };
    Ok(tools.into_iter().map(tool).collect())
}

#[async_trait]
impl Tool for McpServerTool {
    fn declaration(&self) -> Function {
        self.tool.declaration()
    }

    fn rules(&self) -> ToolRules {
        ToolRules {
            approval: self.approval.clone(),
            repeatable: self.tool.is_repeatable(),
            ..ToolRules::default()
        }
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        let answers = context.answers.into_iter();
        let answers =
            answers.map(|one| (McpQuestion::new(one.message, one.schema), one.answer)).collect();
        let call = self.server.call_asking(&self.tool.name, arguments, LONGEST, answers);
        let reply = call.await.map_err(|error| match error.asks() {
            Some(asks) => ToolError::input(&asks.message, asks.schema.clone()),
            None => ToolError::new(error),
        })?;
        let failed = reply.is_error;
        let output = reply.into_output();
        if failed { Err(ToolError::new(output.to_text())) } else { Ok(output) }
    }
}

/// An MCP server as a [`Toolset`]: connected when it is first needed, connected again when the
/// connection has ended, listed again when its tools have changed.
///
/// What a server asks a person in the middle of a call (elicitation) pauses the run, as an approval does.
/// [`ToolsetExt`](crate::ToolsetExt) filters and renames.
///
/// ```no_run
/// use interactions_agent::{Agent, McpTools, ToolsetExt};
/// use interactions_agent::interactions_mcp::{McpCommand, McpEndpoint};
/// # fn example(client: interactions_client::Client, transport: interactions_transport::SharedTransport)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let files = McpTools::spawn(McpCommand::new("npx", ["-y", "@modelcontextprotocol/server-filesystem", "."]))
///     .approve_writes();
/// let docs = McpTools::connect(McpEndpoint::http("https://docs.example.com/mcp")?, transport);
/// let agent = Agent::builder(client, "gemini-3.8-flash")
///     .toolset(files)
///     .toolset(docs.prefixed("docs_"))
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct McpTools(Arc<Inner>);

struct Inner {
    source: Source,
    approve_writes: bool,
    connection: Mutex<Option<Connection>>,
}

#[derive(Clone)]
enum Source {
    Remote(McpEndpoint, SharedTransport),
    Local(McpCommand),
}

/// A server, and its tools as they were when its list had this version.
struct Connection {
    server: McpServer,
    listed: Option<(u64, Vec<McpTool>)>,
}

impl McpTools {
    /// A server at an address.
    #[must_use]
    pub fn connect(endpoint: McpEndpoint, transport: SharedTransport) -> Self {
        Self::new(Source::Remote(endpoint, transport))
    }

    /// A server that is started as a process.
    #[must_use]
    pub fn spawn(command: McpCommand) -> Self {
        Self::new(Source::Local(command))
    }

    /// A person approves every call of a tool that does not call itself read-only.
    #[must_use]
    pub fn approve_writes(self) -> Self {
        Self(Arc::new(Inner {
            source: self.0.source.clone(),
            approve_writes: true,
            connection: Mutex::default(),
        }))
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, approve_writes: false, connection: Mutex::default() }))
    }

    /// The server, connected, for its resources and prompts for example.
    ///
    /// # Errors
    /// [`McpError`] when it cannot be reached.
    pub async fn server(&self) -> Result<McpServer, McpError> {
        let mut held = self.0.connection.lock().await;
        self.connected(&mut held).await.map(|connection| connection.server.clone())
    }

    /// Ends the connection; a process is told to exit. The next use connects again.
    pub async fn shutdown(&self) {
        let connection = self.0.connection.lock().await.take();
        if let Some(connection) = connection {
            connection.server.shutdown().await;
        }
    }

    async fn connected<'a>(
        &self,
        held: &'a mut Option<Connection>,
    ) -> Result<&'a mut Connection, McpError> {
        if held.as_ref().is_some_and(|connection| connection.server.is_closed()) {
            tracing::info!(server = ?self.0.source, "the MCP server is connected again");
            *held = None;
        }
        match held {
            Some(connection) => Ok(connection),
            None => {
                let server = match self.0.source.clone() {
                    Source::Remote(endpoint, transport) => {
                        McpServer::connect(endpoint, transport, GREETING).await?
                    }
                    Source::Local(command) => McpServer::spawn(command, GREETING).await?,
                };
                Ok(held.insert(Connection { server, listed: None }))
            }
        }
    }
}

#[async_trait]
impl Toolset for McpTools {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        let mut held = self.0.connection.lock().await;
        let connection = self.connected(&mut held).await.map_err(ToolError::new)?;
        let version = connection.server.tools_version();
        // Servers over HTTP cannot always tell of a change, so each run looks for itself.
        let is_fresh = |listed: &(u64, Vec<McpTool>)| listed.0 == version && run.turns() > 0;
        if !connection.listed.as_ref().is_some_and(is_fresh) {
            let tools = connection.server.tools().await.map_err(ToolError::new)?;
            connection.listed = Some((version, tools));
        }
        let server = &connection.server;
        let tools = connection.listed.iter().flat_map(|(_, tools)| tools).map(|tool| {
            let ask = self.0.approve_writes && !tool.read_only;
            let approval = if ask { Approval::Always } else { Approval::Never };
            let tool = McpServerTool { server: server.clone(), tool: tool.clone(), approval };
            Arc::new(tool) as Arc<dyn Tool>
        });
        Ok(tools.collect())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(endpoint, _) => fmt::Debug::fmt(endpoint, f),
            Self::Local(command) => fmt::Debug::fmt(command, f),
        }
    }
}

impl fmt::Debug for McpTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("McpTools").field(&self.0.source).finish()
    }
}
