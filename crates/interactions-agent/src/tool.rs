//! Tools: what they say of themselves, and what they do.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use interactions_types::{CallId, Function, InteractionId, JsonObject, ToolOutput};

/// Something that the model can call and that runs here.
///
/// For a function with typed arguments, [`tool_fn`](crate::tool_fn) is shorter.
///
/// All tools of a run share its task: what computes for long or blocks belongs into
/// `tokio::task::spawn_blocking`, or it holds up the others and its own time limit.
#[async_trait]
pub trait Tool: fmt::Debug + Send + Sync + 'static {
    /// What the model is told: name, purpose, arguments.
    fn declaration(&self) -> Function;

    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in words for the model, which may try again or explain.
    ///
    /// # Cancellation
    /// The future is dropped when the run is dropped or the tool's time is over.
    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError>;
}

/// What a tool knows about the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolContext {
    /// The call. It stays the same if the run is resumed, so it can serve as an idempotency key.
    pub call_id: CallId,
    /// The interaction that asked for it; empty when it is not stored.
    pub interaction_id: InteractionId,
}

impl ToolContext {
    /// The context of a call, for calling a tool by hand, in a test for example.
    #[must_use]
    pub fn new(call_id: impl Into<CallId>, interaction_id: impl Into<InteractionId>) -> Self {
        Self { call_id: call_id.into(), interaction_id: interaction_id.into() }
    }
}

/// Why a tool failed, in words for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError(String);

impl ToolError {
    /// A failure with its explanation.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ToolError {}

const _: fn(&dyn Tool) = |_| {};
