//! An agent loop over the Interactions API.
//!
//! Give an [`Agent`] a client, a model and tools; it asks, runs the tools that the model calls,
//! side by side, and asks again until there is an answer.
//!
//! ```
//! use interactions_agent::{Agent, tool_fn};
//! # use interactions_client::Client;
//! # use interactions_testing::{Reply, replay};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Place {
//!     /// The city, in English.
//!     city: String,
//! }
//!
//! # let turn = |status: &str, steps: &str| Reply::sse(format!(concat!(
//! #     "data: {{\"event_type\":\"interaction.created\",\"interaction\":{{\"id\":\"v1_x\",\"status\":\"in_progress\"}}}}\n\n",
//! #     "data: {{\"event_type\":\"step.start\",\"index\":0,\"step\":{}}}\n\n",
//! #     "data: {{\"event_type\":\"step.stop\",\"index\":0}}\n\n",
//! #     "data: {{\"event_type\":\"interaction.completed\",\"interaction\":{{\"id\":\"v1_x\",\"status\":\"{}\"}}}}\n\n"), steps, status));
//! # let transport = replay([
//! #     turn("requires_action", r#"{"type":"function_call","id":"c1","name":"get_weather","arguments":{"city":"Oslo"}}"#),
//! #     turn("completed", r#"{"type":"model_output","content":[{"type":"text","text":"Snow in Oslo."}]}"#),
//! # ]);
//! # let client = Client::builder().transport(transport).build()?;
//! # let rt = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # rt.block_on(async {
//! let weather = tool_fn("get_weather", "The weather in a city.", |place: Place| async move {
//!     Ok::<_, String>(format!("It snows in {}.", place.city))
//! });
//! let agent = Agent::builder(client, "gemini-3.8-flash").tool(weather).build();
//! let outcome = agent.run("What is the weather in Oslo?").await?;
//! assert_eq!(outcome.output_text(), "Snow in Oslo.");
//! assert_eq!(outcome.turns, 2);
//! # Ok::<(), interactions_agent::AgentError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Five minutes
//!
//! ```sh
//! cargo add interactions-agent interactions-client schemars
//! cargo add serde --features derive
//! cargo add tokio --features macros,rt-multi-thread
//! export GEMINI_API_KEY=…          # or GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 for `interactions serve`
//! ```
//!
//! Put the program above into `main`, with `Client::from_env()?` as its client, and run it. From there:
//!
//! | You want | See |
//! |---|---|
//! | to see what happens on the way, down to pieces of text | [`Agent::stream`], [`RunEvent`] |
//! | tools with a context: ids, your database, progress | [`tool_fn_with`], [`ToolContext`] |
//! | time limits, tools that run alone, retries | [`ToolExt`] |
//! | tools that differ from turn to turn, filtered, prefixed | [`Toolset`], [`ToolsetExt`] |
//! | MCP servers, at an address or as a process | [`McpTools`]; [`AgentBuilder::server_tool`] has the service call them instead |
//! | a person who approves | [`guide::approvals`] |
//! | an answer of a type | [`Agent::run_typed`] |
//! | limits on turns, calls, tokens, cost, time | [`Limits`] |
//! | a say at every point of the run | [`Hooks`] |
//! | conversations that stay, crashes that cost nothing, background work | [`guide::sessions`] |
//! | agents that work together | [`Agent::as_tool`], [`AgentBuilder::handoff`] |
//! | tests without a network | [`guide::testing`] |
//!
//! Spans have OpenTelemetry's names: `invoke_agent`, `agent_turn` and `execute_tool`, with
//! `gen_ai.*` fields and the interaction's id; nothing of what is said is in them.
//!
//! # Features
//!
//! `mcp` (on by default) turns MCP servers into tools, `sqlite` keeps sessions in a database.

mod agent;
mod approval;
mod compaction;
mod error;
mod event;
mod function;
pub mod guide;
mod hooks;
mod limits;
#[cfg(feature = "mcp")]
mod mcp;
mod rules;
mod run;
mod session;
mod state;
mod team;
mod tool;
mod toolset;
mod transcript;
mod typed;

pub use agent::{Agent, AgentBuilder};
pub use approval::{Decision, Decisions, Need, PendingCall};
pub use compaction::{Compaction, Compactor, KeepRecent, Summarize};
pub use error::AgentError;
pub use event::{Ending, Outcome, RunEvent};
pub use function::{ContextTool, FunctionTool, tool_fn, tool_fn_with};
pub use hooks::{Halt, Hooks, TurnPlan, Verdict};
#[cfg(feature = "mcp")]
#[doc(no_inline)]
pub use interactions_mcp;
pub use limits::{Limit, Limits, Prices};
#[cfg(feature = "mcp")]
pub use mcp::{McpServerTool, McpTools, mcp_tools};
pub use rules::{Approval, ExternalTool, Ruled, ToolExt, ToolRules};
pub use run::RunStream;
#[cfg(feature = "sqlite")]
pub use session::SqliteSessions;
pub use session::{
    FileSessions, MemorySessions, Session, SessionError, SessionRecord, SessionStore,
};
pub use state::{RunState, StateError, StateKey};
pub use team::AgentTool;
pub use tool::{CallerLabels, Tool, ToolContext, ToolError};
pub use toolset::{BothToolsets, ChangedToolset, Toolset, ToolsetExt, ToolsetWhen};
pub use typed::Typed;

#[doc(no_inline)]
pub use schemars;

/// The README's program, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
