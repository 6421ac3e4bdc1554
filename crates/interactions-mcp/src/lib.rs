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
//! What it deliberately does not do: sampling, elicitation, roots, prompts, resources and
//! subscriptions. It declares no client capabilities, so servers do not ask for them,
//! and it opens no standing event stream.

mod command;
mod endpoint;
mod error;
mod http;
mod reply;
mod rpc;
mod server;
mod stdio;
mod tool;

pub use command::McpCommand;
pub use endpoint::McpEndpoint;
pub use error::{McpError, McpErrorKind};
pub use reply::McpReply;
pub use server::McpServer;
pub use tool::McpTool;
