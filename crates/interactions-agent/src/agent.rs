//! The agent: whom to ask, with what, within which limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use interactions_client::Client;
use interactions_types::{
    GenerationConfig, Input, InteractionId, OneOrMany, ResponseFormat, Step, Target, Usage,
};

use crate::run::{RunStream, Start};
use crate::team::HandoffTool;
use crate::tool::Dependencies;
use crate::{
    AgentError, Compactor, Decisions, Hooks, Limits, Outcome, RunState, Session, Tool, Toolset,
};

/// A model or agent of the service, with tools that run here. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Agent(pub(crate) Arc<Settings>);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) system_instruction: Option<String>,
    pub(crate) generation_config: Option<GenerationConfig>,
    pub(crate) response_format: Option<OneOrMany<ResponseFormat>>,
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) toolsets: Vec<Arc<dyn Toolset>>,
    pub(crate) server_tools: Vec<interactions_types::Tool>,
    pub(crate) handoffs: Vec<Agent>,
    pub(crate) dependencies: Dependencies,
    pub(crate) hooks: Vec<Arc<dyn Hooks>>,
    pub(crate) stop_conditions: Vec<StopCondition>,
    pub(crate) compactor: Option<Arc<dyn Compactor>>,
    pub(crate) session: Option<Session>,
    pub(crate) previous: Option<InteractionId>,
    /// What was said before, where a run goes on from another.
    pub(crate) context: Vec<Step>,
    pub(crate) last_usage: Usage,
    /// Results of an earlier run of which the model has not heard.
    pub(crate) unsent: Vec<Step>,
    pub(crate) store: bool,
    pub(crate) background: bool,
    pub(crate) limits: Limits,
    pub(crate) max_parallel_tools: usize,
    pub(crate) tool_timeout: Duration,
    pub(crate) max_tool_output: usize,
}

type Condition = dyn Fn(&RunState) -> bool + Send + Sync;

/// When a run is over although the model has not answered.
#[derive(Clone)]
pub(crate) struct StopCondition {
    pub(crate) name: String,
    pub(crate) is_met: Arc<Condition>,
}

impl fmt::Debug for StopCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopCondition({})", self.name)
    }
}

impl Agent {
    /// An agent on top of a model (by its name) or an agent of the service.
    pub fn builder(client: Client, target: impl Into<Target>) -> AgentBuilder {
        AgentBuilder(Settings {
            client,
            name: String::new(),
            target: target.into(),
            system_instruction: None,
            generation_config: None,
            response_format: None,
            tools: Vec::new(),
            toolsets: Vec::new(),
            server_tools: Vec::new(),
            handoffs: Vec::new(),
            dependencies: Dependencies::default(),
            hooks: Vec::new(),
            stop_conditions: Vec::new(),
            compactor: None,
            session: None,
            previous: None,
            context: Vec::new(),
            last_usage: Usage::default(),
            unsent: Vec::new(),
            store: true,
            background: false,
            limits: Limits::default(),
            max_parallel_tools: 8,
            tool_timeout: Duration::from_secs(60),
            max_tool_output: 4 * 1024 * 1024,
        })
    }

    /// Its name; empty if it was given none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs to the answer, or until somebody has to decide.
    ///
    /// # Errors
    /// [`AgentError`] when a call to the service fails, the interaction fails or is cancelled,
    /// or a limit is reached. Tools that fail are the model's matter.
    ///
    /// # Cancellation
    /// Dropping the future stops the running tools and hangs up. A stored interaction that the
    /// service has begun runs on there, and costs, until somebody cancels it.
    pub async fn run(&self, input: impl Into<Input>) -> Result<Outcome, AgentError> {
        self.stream(input).finish().await
    }

    /// Runs step by step and tells what happens.
    ///
    /// # Cancellation
    /// Dropping the stream stops the running tools and hangs up. A stored interaction that the
    /// service has begun runs on there, and costs, until somebody cancels it.
    pub fn stream(&self, input: impl Into<Input>) -> RunStream {
        RunStream::new(self.clone(), Start::With(input.into().into_steps()))
    }

    /// Goes on with a run that was paused, here or in another process, now that somebody has
    /// decided. What nobody has decided yet goes on waiting; tools that have ended do not run again.
    pub fn resume(&self, state: RunState, decisions: Decisions) -> RunStream {
        RunStream::new(self.clone(), Start::From(Box::new(state), decisions))
    }

    /// Goes on with the run that this agent's [`session`](Self::in_session) keeps: paused, or
    /// broken off with its process. A tool that was running then is not run again unless it is
    /// [repeatable](crate::ToolRules::repeatable); the model is told that nobody knows how it went.
    pub fn resume_session(&self, decisions: Decisions) -> RunStream {
        RunStream::new(self.clone(), Start::Kept(decisions))
    }

    /// Goes on with an interaction that the service has begun, in the background for example:
    /// waits for it, runs the tools that it calls, and so on to the answer.
    pub fn reattach(&self, id: impl Into<InteractionId>) -> RunStream {
        RunStream::new(self.clone(), Start::At(id.into()))
    }

    /// The same agent in a conversation that is kept. What is said goes on from there.
    #[must_use]
    pub fn in_session(&self, session: &Session) -> Self {
        self.changed(|settings| settings.session = Some(session.clone()))
    }

    /// The same agent, going on from what a run has left.
    #[must_use]
    pub fn after(&self, outcome: &Outcome) -> Self {
        let id = &outcome.interaction.id;
        self.changed(|settings| {
            settings.previous = (settings.store && !id.as_str().is_empty()).then(|| id.clone());
            settings.last_usage = outcome.last_usage.clone();
            settings.unsent.clone_from(&outcome.unsent);
            settings.context = if outcome.whole { outcome.context.clone() } else { Vec::new() };
        })
    }

    /// The same agent with something more for its tools to look up, a user of this run for example.
    #[must_use]
    pub fn with_dependency<T: Send + Sync + 'static>(&self, dependency: T) -> Self {
        self.changed(|settings| settings.dependencies.insert(dependency))
    }

    pub(crate) fn changed(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = (*self.0).clone();
        change(&mut settings);
        Self(Arc::new(settings))
    }

    /// The agent of a name among those that it may hand off to, and those of theirs.
    pub(crate) fn find(&self, name: &str) -> Option<Self> {
        if self.0.name == name {
            return Some(self.clone());
        }
        self.0.handoffs.iter().find_map(|agent| agent.find(name))
    }
}

/// Describes an [`Agent`].
#[derive(Debug)]
#[must_use]
pub struct AgentBuilder(Settings);

impl AgentBuilder {
    /// What it is called, in spans and by agents that hand off to it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// What the model should keep to.
    pub fn system_instruction(mut self, text: impl Into<String>) -> Self {
        self.0.system_instruction = Some(text.into());
        self
    }

    /// How the model generates. A choice that forces tools holds for the first turn only.
    pub fn generation_config(mut self, config: GenerationConfig) -> Self {
        self.0.generation_config = Some(config);
        self
    }

    /// What form the answer has. [`Agent::run_typed`] does this by itself.
    pub fn response_format(mut self, format: impl Into<OneOrMany<ResponseFormat>>) -> Self {
        self.0.response_format = Some(format.into());
        self
    }

    /// Adds a tool that runs here. A later tool replaces an earlier one of the same name.
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.0.tools.push(Arc::new(tool));
        self
    }

    /// Adds several tools that run here.
    pub fn tools<T: Tool>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        for tool in tools {
            self.0.tools.push(Arc::new(tool));
        }
        self
    }

    /// Adds tools that may differ from turn to turn, those of an MCP server for example.
    pub fn toolset(mut self, toolset: impl Toolset) -> Self {
        self.0.toolsets.push(Arc::new(toolset));
        self
    }

    /// Adds a tool that the service runs itself, a remote MCP server for example.
    pub fn server_tool(mut self, tool: impl Into<interactions_types::Tool>) -> Self {
        self.0.server_tools.push(tool.into());
        self
    }

    /// Lets the model hand the conversation to another agent, which must have a [`name`](Self::name).
    /// The model sees it as the tool `transfer_to_NAME`, told by the other's `description`.
    pub fn handoff(mut self, to: Agent, description: impl Into<String>) -> Self {
        self.0.tools.push(Arc::new(HandoffTool::new(&to, description.into())));
        self.0.handoffs.push(to);
        self
    }

    /// Gives its tools something to look up by its type, a database for example.
    pub fn dependency<T: Send + Sync + 'static>(mut self, dependency: T) -> Self {
        self.0.dependencies.insert(dependency);
        self
    }

    /// Gives the program a say at each point of a run. Hooks are asked in the order in which they were added.
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.0.hooks.push(Arc::new(hooks));
        self
    }

    /// Ends runs, after the tools of a turn, once the condition holds; `name` is the reason given.
    pub fn stop_when(
        mut self,
        name: impl Into<String>,
        condition: impl Fn(&RunState) -> bool + Send + Sync + 'static,
    ) -> Self {
        let condition = StopCondition { name: name.into(), is_met: Arc::new(condition) };
        self.0.stop_conditions.push(condition);
        self
    }

    /// Makes conversations shorter when they have grown long.
    pub fn compactor(mut self, compactor: impl Compactor) -> Self {
        self.0.compactor = Some(Arc::new(compactor));
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

    /// Whether the service works in the background; default false. Agents of the service want it.
    ///
    /// No connection is held then, and a run that was broken off goes on by
    /// [`Agent::reattach`] or from its session.
    pub fn background(mut self, background: bool) -> Self {
        self.0.background = background;
        self
    }

    /// How much a run may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// How often the model may be asked; [`Limits::turns`].
    pub fn max_turns(mut self, turns: u32) -> Self {
        self.0.limits = self.0.limits.turns(turns);
        self
    }

    /// How many tools may run side by side; default 8.
    pub fn max_parallel_tools(mut self, tools: usize) -> Self {
        self.0.max_parallel_tools = tools.max(1);
        self
    }

    /// How long one tool may run before the model is told that it took too long; default 60 s.
    /// A tool's [own limit](crate::ToolRules::timeout) comes first.
    pub fn tool_timeout(mut self, limit: Duration) -> Self {
        self.0.tool_timeout = limit;
        self
    }

    /// How many bytes of text a result may have, whether a tool, a hook or a person brings it; default
    /// 4 MiB. More becomes an error that tells the model to ask for less: it could not read it
    /// anyway. Media do not count.
    pub fn max_tool_output(mut self, bytes: usize) -> Self {
        self.0.max_tool_output = bytes;
        self
    }

    /// Makes the agent.
    #[must_use]
    pub fn build(self) -> Agent {
        Agent(Arc::new(self.0))
    }
}
