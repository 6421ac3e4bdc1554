//! MCP servers as tools: connect, list, call.
//!
//! A [`McpServer`] is one live connection. It is reached over streamable HTTP through any
//! [`SharedTransport`](interactions_transport::SharedTransport) (the network, guarded egress,
//! a server in this process, a script in a test), or started as a child process that speaks over
//! its standard input and output.
//!
//! Replies come as the API's own [`Content`](interactions_types::Content); every wait has a time
//! limit, every reply a size limit, and a call that may have run is never silently run again.
//!
//! ```no_run
//! use std::time::Duration;
//! use interactions_mcp::{McpEndpoint, McpServer};
//! use interactions_transport::SharedTransport;
//!
//! # async fn example(transport: SharedTransport) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = McpEndpoint::http("https://weather.example/mcp")?
//!     .name("weather")
//!     .header("authorization", "Bearer …")?;
//! let server = McpServer::connect(endpoint, transport, Duration::from_secs(10)).await?;
//! for tool in server.tools().await? {
//!     println!("{}: {}", tool.name, tool.description.unwrap_or_default());
//! }
//! let arguments = serde_json::json!({"city": "Lisbon"}).as_object().cloned().unwrap_or_default();
//! let reply = server.call("forecast", arguments, Duration::from_secs(30)).await?;
//! println!("{}", reply.into_output().to_text());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Resources and prompts are read by [`McpServer::resources`] and [`McpServer::prompts`].
//! A server may ask people in the middle of a call only where
//! [`asks_people`](McpEndpoint::asks_people) allows it.
//!
//! What it deliberately does not do: sampling, roots and subscriptions. It declares no other
//! client capabilities, so servers do not ask for them, and it opens no standing event stream.

mod command;
mod endpoint;
mod error;
mod host;
mod http;
mod offer;
mod reply;
mod rpc;
mod server;
mod stdio;
mod tool;

pub use command::McpCommand;
pub use endpoint::McpEndpoint;
pub use error::{McpError, McpErrorKind};
pub use host::McpQuestion;
pub use offer::{McpPrompt, McpPromptArgument, McpPromptMessage, McpResource};
pub use reply::McpReply;
pub use server::McpServer;
pub use tool::McpTool;
