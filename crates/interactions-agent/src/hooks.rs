//! What a program has to say at each point of a run.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use interactions_types::{
    FunctionCall, GenerationConfig, Interaction, Target, ToolChoice, ToolOutput,
};

use crate::{RunEvent, RunState, Tool};

/// Looks at a run and has a say in it. Every method has a default that changes nothing.
#[async_trait]
pub trait Hooks: fmt::Debug + Send + Sync + 'static {
    /// Before the model is asked: who is asked, with which tools, how.
    ///
    /// # Errors
    /// What ends the run instead, with everything so far.
    async fn before_turn(&self, run: &RunState, turn: &mut TurnPlan) -> Result<(), Halt> {
        let _ = (run, turn);
        Ok(())
    }

    /// After the model has answered or called tools.
    ///
    /// # Errors
    /// What ends the run here.
    async fn after_turn(&self, run: &RunState, answer: &Interaction) -> Result<(), Halt> {
        let _ = (run, answer);
        Ok(())
    }

    /// Before a tool runs. The arguments may be changed.
    async fn before_tool(&self, run: &RunState, call: &mut FunctionCall) -> Verdict {
        let _ = (run, call);
        Verdict::Run
    }

    /// After a tool has ended; what goes back to the model may be changed.
    async fn after_tool(
        &self,
        run: &RunState,
        call: &FunctionCall,
        output: &mut ToolOutput,
        is_error: &mut bool,
    ) {
        let _ = (run, call, output, is_error);
    }

    /// On everything that a reader of the run is told. It must not take long.
    fn on_event(&self, event: &RunEvent) {
        let _ = event;
    }
}

#[async_trait]
impl<H: Hooks + ?Sized> Hooks for Arc<H> {
    async fn before_turn(&self, run: &RunState, turn: &mut TurnPlan) -> Result<(), Halt> {
        (**self).before_turn(run, turn).await
    }

    async fn after_turn(&self, run: &RunState, answer: &Interaction) -> Result<(), Halt> {
        (**self).after_turn(run, answer).await
    }

    async fn before_tool(&self, run: &RunState, call: &mut FunctionCall) -> Verdict {
        (**self).before_tool(run, call).await
    }

    async fn after_tool(
        &self,
        run: &RunState,
        call: &FunctionCall,
        output: &mut ToolOutput,
        is_error: &mut bool,
    ) {
        (**self).after_tool(run, call, output, is_error).await;
    }

    fn on_event(&self, event: &RunEvent) {
        (**self).on_event(event);
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The tool's own rules hold.
    Run,
    /// A person decides first, whatever the tool's rules say.
    Ask,
    /// It does not run, and the model gets this instead.
    Answer(ToolOutput),
    /// It does not run, and the model is told why.
    Deny(String),
}

/// Why a program ends a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt(pub(crate) String);

impl Halt {
    /// The reason, for whoever reads the outcome.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What one turn is asked with; made from the agent, changed by [`Hooks::before_turn`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TurnPlan {
    /// Who answers.
    pub target: Target,
    /// What the model should keep to.
    pub system_instruction: Option<String>,
    /// How the model generates.
    pub generation_config: Option<GenerationConfig>,
    /// Which tools it may or must use; it takes the place of that in `generation_config`.
    pub tool_choice: Option<ToolChoice>,
    /// The tools that run here.
    pub tools: Vec<Arc<dyn Tool>>,
    /// The tools that the service runs.
    pub server_tools: Vec<interactions_types::Tool>,
}

impl TurnPlan {
    /// Leaves only the tools of these names.
    pub fn keep_tools(&mut self, names: &[&str]) {
        self.tools.retain(|tool| names.contains(&tool.declaration().name.as_str()));
    }
}
