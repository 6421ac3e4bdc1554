//! The tools of one run: which functions the model sees, who carries each out, and the MCP connections.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::future::join_all;
use interactions_mcp::{McpEndpoint, McpError, McpServer as Connection};
use interactions_transport::SharedTransport;
use interactions_types::{ApiError, JsonObject, McpServer, Tool, ToolOutput};
use serde_json::Value;

use crate::model::FunctionSpec;

const CONNECT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(60);

/// Who carries a function out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The client, after the run has ended as `requires_action`.
    Client,
    /// A tool of an MCP server, within the run.
    Mcp { server: String, tool: String },
}

/// The tools of one run.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    functions: Vec<FunctionSpec>,
    routes: HashMap<String, Route>,
    connections: HashMap<String, Connection>,
    /// Tools that may be run again without harm.
    repeatable: HashSet<(String, String)>,
    /// MCP servers that could not be reached, and why.
    unreachable: Vec<(String, String)>,
    native: Vec<Tool>,
    /// A result beyond this would only drown the model.
    result_bytes: usize,
}

impl Toolbox {
    /// Connects to every MCP server among `tools`; one that cannot be reached is noted, not fatal.
    pub(super) async fn open(
        tools: &[Tool],
        allowed: Option<&[String]>,
        egress: &SharedTransport,
        result_bytes: usize,
    ) -> Self {
        let mut toolbox = Self { result_bytes, ..Self::default() };
        for tool in tools {
            match tool {
                Tool::Function(function) => {
                    let parameters =
                        function.parameters.as_ref().and_then(Value::as_object).cloned();
                    toolbox.functions.push(FunctionSpec {
                        name: function.name.clone(),
                        description: function.description.clone(),
                        parameters: parameters.unwrap_or_default(),
                    });
                    toolbox.routes.insert(function.name.clone(), Route::Client);
                }
                Tool::McpServer(_) => {}
                native => toolbox.native.push(native.clone()),
            }
        }
        let servers = tools.iter().filter_map(|tool| match tool {
            Tool::McpServer(server) => Some(server),
            _ => None,
        });
        for (server, reached) in join_all(
            servers
                .map(|server| async move { (server, reach(server, egress, result_bytes).await) }),
        )
        .await
        {
            let name = server.name.clone().unwrap_or_default();
            match reached {
                Ok((connection, tools)) => toolbox.add_server(&name, connection, tools),
                Err(error) => {
                    tracing::warn!(%error, server = name, "an MCP server cannot be used");
                    toolbox.unreachable.push((name, error.to_string()));
                }
            }
        }
        if let Some(allowed) = allowed {
            toolbox.functions.retain(|function| {
                let tool = match toolbox.routes.get(&function.name) {
                    Some(Route::Mcp { tool, .. }) => tool,
                    _ => &function.name,
                };
                allowed.contains(tool) || allowed.contains(&function.name)
            });
        }
        toolbox
    }

    fn add_server(&mut self, name: &str, connection: Connection, tools: Vec<(FunctionSpec, bool)>) {
        for (mut spec, repeatable) in tools {
            let tool = spec.name.clone();
            // Many models take nothing else in names of functions.
            spec.name = plain_name(&tool);
            if self.routes.contains_key(&spec.name) {
                // Two servers, or a server and the client, may use the same name.
                spec.name = plain_name(&format!("{name}_{tool}"));
            }
            if self.routes.contains_key(&spec.name) {
                tracing::warn!(
                    server = name,
                    tool,
                    "a tool is left out because its name is taken twice"
                );
                continue;
            }
            if repeatable {
                self.repeatable.insert((name.to_owned(), tool.clone()));
            }
            self.routes.insert(spec.name.clone(), Route::Mcp { server: name.to_owned(), tool });
            self.functions.push(spec);
        }
        self.connections.insert(name.to_owned(), connection);
    }

    /// The functions that the model may call.
    pub(super) fn functions(&self) -> &[FunctionSpec] {
        &self.functions
    }

    /// Tools that the model uses on its own.
    pub(super) fn native(&self) -> &[Tool] {
        &self.native
    }

    /// Who carries out the function that the model calls by `name`; nobody unless it was offered.
    pub(super) fn route(&self, name: &str) -> Option<&Route> {
        let offered = |name: &str| self.functions.iter().any(|function| function.name == name);
        // Some models call declared functions by a qualified name.
        let plain = name.strip_prefix("default_api:");
        let name = [Some(name), plain].into_iter().flatten().find(|name| offered(name))?;
        self.routes.get(name)
    }

    /// The name by which the model knows a tool of an MCP server.
    pub(super) fn exposed(&self, server: &str, tool: &str) -> String {
        let known = self.routes.iter().find(|(_, route)| {
            matches!(route, Route::Mcp { server: s, tool: t } if s == server && t == tool)
        });
        known.map_or_else(|| tool.to_owned(), |(name, _)| name.clone())
    }

    /// Whether a tool may be run again when nobody knows whether it ran.
    pub(super) fn is_repeatable(&self, server: &str, tool: &str) -> bool {
        self.repeatable.contains(&(server.to_owned(), tool.to_owned()))
    }

    /// What the model should know about servers that are away.
    pub(super) fn note_for_model(&self) -> Option<String> {
        let lines: Vec<String> = self
            .unreachable
            .iter()
            .map(|(name, why)| format!("The MCP server `{name}` cannot be used at the moment ({why}). Its tools are not available; say so if they matter."))
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What the caller should know about servers that are away.
    pub(super) fn faults(&self) -> impl Iterator<Item = ApiError> {
        self.unreachable.iter().map(|(name, why)| {
            ApiError::new()
                .code("mcp_server_unavailable")
                .message(format!("MCP server `{name}`: {why}"))
        })
    }

    /// Carries out a call of an MCP tool. What goes wrong is text for the model.
    pub(super) async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<ToolOutput, String> {
        let Some(connection) = self.connections.get(server) else {
            return Err(format!("the MCP server `{server}` is not available."));
        };
        match connection.call(tool, arguments, CALL).await {
            Ok(reply) => {
                let failed = reply.is_error;
                let output = reply.into_output();
                let size = serde_json::to_vec(&output).map_or(0, |json| json.len());
                if size > self.result_bytes {
                    let limit = self.result_bytes;
                    return Err(format!(
                        "the result of `{tool}` has {size} bytes, more than the {limit} allowed."
                    ));
                }
                if failed { Err(output.to_text()) } else { Ok(output) }
            }
            Err(error) => {
                tracing::warn!(%error, server, tool, "a tool call failed");
                Err(error.to_string())
            }
        }
    }

    /// Ends the connections.
    pub(super) async fn close(self) {
        join_all(self.connections.values().map(Connection::shutdown)).await;
    }
}

async fn reach(
    server: &McpServer,
    egress: &SharedTransport,
    result_bytes: usize,
) -> Result<(Connection, Vec<(FunctionSpec, bool)>), McpError> {
    let mut endpoint = McpEndpoint::http(server.url.as_deref().unwrap_or_default())?
        .name(server.name.clone().unwrap_or_default())
        .reply_limit(result_bytes);
    for (name, value) in server.headers.iter().flatten() {
        endpoint = endpoint.header(name, value)?;
    }
    let connection = Connection::connect(endpoint, egress.clone(), CONNECT).await?;
    let allowed: Option<HashSet<&String>> = server
        .allowed_tools
        .as_ref()
        .map(|lists| lists.iter().flat_map(|list| list.tools.iter().flatten()).collect());
    let tools = connection
        .tools()
        .await?
        .into_iter()
        .filter(|tool| allowed.as_ref().is_none_or(|names| names.contains(&tool.name)))
        .map(|tool| {
            let repeatable = tool.is_repeatable();
            let spec = FunctionSpec {
                name: tool.name,
                description: tool.description,
                parameters: tool.input_schema,
            };
            (spec, repeatable)
        })
        .collect();
    Ok((connection, tools))
}

/// How long the names of functions may be for models that are strict.
const LONGEST_NAME: usize = 64;

/// The characters that every model's server allows in function names.
fn plain_name(name: &str) -> String {
    name.chars()
        .take(LONGEST_NAME)
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
        .collect()
}
