//! The agent: whom to ask, with what, within which limits.

use std::sync::Arc;
use std::time::Duration;

use interactions_client::Client;
use interactions_types::{GenerationConfig, Input, InteractionId, Target};

use crate::run::{self, RunStream};
use crate::toolbox::Toolbox;
use crate::{AgentError, Outcome, Tool};

/// A model or agent of the service, with tools that run here. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Agent(pub(crate) Arc<Settings>);

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) client: Client,
    pub(crate) target: Target,
    pub(crate) system_instruction: Option<String>,
    pub(crate) generation_config: Option<GenerationConfig>,
    pub(crate) toolbox: Toolbox,
    pub(crate) server_tools: Vec<interactions_types::Tool>,
    pub(crate) previous: Option<InteractionId>,
    pub(crate) store: bool,
    pub(crate) max_turns: u32,
    pub(crate) max_parallel_tools: usize,
    pub(crate) tool_timeout: Duration,
}

impl Agent {
    /// An agent on top of a model (by its name) or an agent of the service.
    pub fn builder(client: Client, target: impl Into<Target>) -> AgentBuilder {
        AgentBuilder(Settings {
            client,
            target: target.into(),
            system_instruction: None,
            generation_config: None,
            toolbox: Toolbox::default(),
            server_tools: Vec::new(),
            previous: None,
            store: true,
            max_turns: 16,
            max_parallel_tools: 8,
            tool_timeout: Duration::from_secs(60),
        })
    }

    /// Runs to the answer.
    ///
    /// # Errors
    /// [`AgentError`] when a call to the service fails, the interaction fails or is cancelled,
    /// or the turns are used up. Tools that fail are the model's matter.
    ///
    /// # Cancellation
    /// Dropping the future stops the running tools and hangs up. A stored interaction that the
    /// service has begun runs on there, and costs, until somebody cancels it.
    pub async fn run(&self, input: impl Into<Input>) -> Result<Outcome, AgentError> {
        run::to_the_end(self.stream(input)).await
    }

    /// Runs step by step and tells what happens.
    ///
    /// # Cancellation
    /// Dropping the stream stops the running tools and hangs up. A stored interaction that the
    /// service has begun runs on there, and costs, until somebody cancels it.
    pub fn stream(&self, input: impl Into<Input>) -> RunStream {
        RunStream::new(self.clone(), input.into())
    }
}

/// Describes an [`Agent`].
#[derive(Debug)]
#[must_use]
pub struct AgentBuilder(Settings);

impl AgentBuilder {
    /// What the model should keep to.
    pub fn system_instruction(mut self, text: impl Into<String>) -> Self {
        self.0.system_instruction = Some(text.into());
        self
    }

    /// How the model generates.
    pub fn generation_config(mut self, config: GenerationConfig) -> Self {
        self.0.generation_config = Some(config);
        self
    }

    /// Adds a tool that runs here. A later tool replaces an earlier one of the same name.
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.0.toolbox.add(Arc::new(tool));
        self
    }

    /// Adds several tools that run here, those of an MCP server for example.
    pub fn tools<T: Tool>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        for tool in tools {
            self.0.toolbox.add(Arc::new(tool));
        }
        self
    }

    /// Adds a tool that the service runs itself, a remote MCP server for example.
    pub fn server_tool(mut self, tool: impl Into<interactions_types::Tool>) -> Self {
        self.0.server_tools.push(tool.into());
        self
    }

    /// Continues a stored conversation.
    pub fn previous_interaction(mut self, id: impl Into<InteractionId>) -> Self {
        self.0.previous = Some(id.into());
        self
    }

    /// Whether the service keeps the conversation; default true.
    ///
    /// If it does not, every turn sends the whole history again, steps and signatures as they came.
    pub fn store(mut self, store: bool) -> Self {
        self.0.store = store;
        self
    }

    /// How often the model may be asked, at least once; default 16.
    ///
    /// Tools that it calls in its last turn do not run.
    pub fn max_turns(mut self, turns: u32) -> Self {
        self.0.max_turns = turns.max(1);
        self
    }

    /// How many tools may run side by side; default 8.
    pub fn max_parallel_tools(mut self, tools: usize) -> Self {
        self.0.max_parallel_tools = tools.max(1);
        self
    }

    /// How long one tool may run before the model is told that it took too long; default 60 s.
    pub fn tool_timeout(mut self, limit: Duration) -> Self {
        self.0.tool_timeout = limit;
        self
    }

    /// Makes the agent.
    #[must_use]
    pub fn build(self) -> Agent {
        Agent(Arc::new(self.0))
    }
}
