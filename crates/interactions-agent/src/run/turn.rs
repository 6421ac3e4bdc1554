//! One turn: asking the service, and following its answer.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use interactions_client::{Error as ClientError, Update};
use interactions_types::{
    AccumulateError, CallId, Content, CreateInteraction, Delta, GenerationConfig, Input,
    Interaction, InteractionId, Status, Step, StreamEvent, Target, ToolChoice, ToolChoiceMode,
};
use tracing::Instrument;

use super::{Run, Stop};
use crate::{RunEvent, Tool, TurnPlan};

/// Calls whose arguments cannot be read, and why.
pub(super) type Faults = HashMap<CallId, String>;

/// What a turn has brought.
pub(super) struct Answer {
    pub(super) interaction: Interaction,
    pub(super) faults: Faults,
}

impl Run {
    /// Asks the model once.
    pub(super) async fn ask(&mut self) -> Result<Answer, Stop> {
        if let Some(limit) = self.root.0.limits.before_turn(self.state.turns) {
            return Err(Stop::Limit(limit));
        }
        self.compact().await?;
        let plan = self.plan().await?;
        self.state.turns += 1;
        let turn = self.state.turns;
        self.tell(RunEvent::TurnStarted { turn }).await;
        let request = self.request(&plan);
        let span = tracing::info_span!(
            "agent_turn",
            turn,
            gen_ai.request.model = named(&plan.target),
            gen_ai.response.id = tracing::field::Empty,
        );
        match self.send(request).instrument(span.clone()).await {
            Err(Stop::Client(error)) if self.is_forgotten(&error) => {
                tracing::info!(%error, "the conversation is told again from what is held here");
                self.state.previous = None;
                let request = self.request(&plan);
                self.send(request).instrument(span).await
            }
            answer => answer,
        }
    }

    /// Who is asked, with what. The hooks have the last word.
    pub(super) async fn plan(&mut self) -> Result<TurnPlan, Stop> {
        let tools = self.gather_tools().await?;
        let settings = Arc::clone(&self.agent.0);
        let mut generation = settings.generation_config.clone();
        let choice = generation.as_mut().and_then(|config| config.tool_choice.take());
        let mut plan = TurnPlan {
            target: settings.target.clone(),
            system_instruction: settings.system_instruction.clone(),
            generation_config: generation,
            // A model that must call a tool in every turn never answers.
            tool_choice: choice.filter(|choice| !(self.state.forced && forces(choice))),
            tools,
            server_tools: settings.server_tools.clone(),
        };
        for hooks in self.hooks() {
            self.hooked("before_turn", hooks.before_turn(&self.state, &mut plan)).await??;
        }
        self.tools = Some(by_name(&plan.tools));
        Ok(plan)
    }

    /// The tools of this moment: the agent's own, and those of its sets.
    async fn gather_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Stop> {
        let mut tools = self.agent.0.tools.clone();
        for toolset in &self.agent.0.toolsets {
            let found = self.hooked("tools", toolset.tools(&self.state)).await?;
            let found =
                found.map_err(|error| Stop::Setup(format!("the tools cannot be had: {error}")))?;
            tools.extend(found);
        }
        // A later tool takes the place of an earlier one of its name.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Arc<dyn Tool>> = Vec::new();
        for tool in tools {
            match places.get(&tool.declaration().name) {
                Some(&place) => kept[place] = tool,
                None => {
                    places.insert(tool.declaration().name, kept.len());
                    kept.push(tool);
                }
            }
        }
        Ok(kept)
    }

    fn request(&self, plan: &TurnPlan) -> CreateInteraction {
        let settings = &self.agent.0;
        let chained = settings.store && self.state.previous.is_some();
        let input = if chained {
            self.state.input.clone()
        } else {
            [&self.state.context[..], &self.state.input].concat()
        };
        let mut request = CreateInteraction::new(plan.target.clone(), Input::Steps(input));
        request.previous_interaction_id = self.state.previous.clone().filter(|_| chained);
        let functions =
            plan.tools.iter().map(|tool| interactions_types::Tool::from(tool.declaration()));
        let tools: Vec<_> = functions.chain(plan.server_tools.iter().cloned()).collect();
        request.tools = (!tools.is_empty()).then_some(tools);
        request.system_instruction.clone_from(&plan.system_instruction);
        request.generation_config.clone_from(&plan.generation_config);
        if let Some(choice) = &plan.tool_choice {
            let config = request.generation_config.get_or_insert_with(GenerationConfig::default);
            config.tool_choice = Some(choice.clone());
        }
        request.response_format.clone_from(&settings.response_format);
        request.store = (!settings.store).then_some(false);
        request.background = settings.background.then_some(true);
        request
    }

    async fn send(&mut self, request: CreateInteraction) -> Result<Answer, Stop> {
        let call = self.agent.0.client.create(request);
        if self.agent.0.background {
            let begun = self.in_time(call.into_future()).await?.map_err(Stop::Client)?;
            self.state.attached = Some(begun.id.clone());
            // From here on the service works, whether anybody listens or not.
            self.checkpoint().await?;
            return self.follow(begun.id).await;
        }
        let mut events = self.in_time(call.stream().into_future()).await?.map_err(Stop::Client)?;
        let mut teller = Teller::default();
        loop {
            let next = match self.in_time(events.next()).await {
                Ok(next) => next,
                Err(stop) => {
                    self.keep_part(&events.interaction().unwrap_or_default());
                    return Err(stop);
                }
            };
            match next {
                None => break,
                Some(Ok(event)) => {
                    if let Some(event) = teller.tell(event) {
                        self.tell(event).await;
                    }
                }
                Some(Err(error)) => {
                    let partial = error.partial().cloned().unwrap_or_default();
                    let has_failed = partial.status == Status::Failed;
                    self.keep_part(&partial);
                    return Err(if has_failed { Stop::Failed } else { Stop::Client(error) });
                }
            }
        }
        let fault =
            |misfit: &AccumulateError| Some((misfit.call_id()?.clone(), misfit.to_string()));
        let faults = events.misfits().iter().filter_map(fault).collect();
        Ok(Answer { interaction: events.interaction().unwrap_or_default(), faults })
    }

    /// Follows what the service works on by itself, to its end.
    pub(super) async fn follow(&mut self, id: InteractionId) -> Result<Answer, Stop> {
        let mut updates = self.agent.0.client.watch(id).stream();
        let mut teller = Teller::default();
        loop {
            match self.in_time(updates.next()).await? {
                Some(Ok(Update::Event(event))) => {
                    if let Some(event) = teller.tell(event) {
                        self.tell(event).await;
                    }
                }
                Some(Ok(Update::State(state))) if state.status.is_running() => {}
                Some(Ok(Update::State(interaction))) => {
                    // Without events, it is told at once what was said.
                    for event in teller.tell_whole(&interaction) {
                        self.tell(event).await;
                    }
                    return Ok(Answer { interaction, faults: Faults::new() });
                }
                Some(Err(error)) => return Err(Stop::Client(error)),
                Some(Ok(_)) => {}
                None => {
                    let why = "the service stopped telling of its work; attach again later";
                    return Err(Stop::Setup(why.to_owned()));
                }
            }
        }
    }

    /// Keeps what arrived of an answer that broke off: it may be much, and it was paid for.
    fn keep_part(&mut self, partial: &Interaction) {
        let said = std::mem::take(&mut self.state.input);
        self.state.steps.extend(said);
        self.state.steps.extend(partial.steps.iter().cloned());
        self.state.usage += partial.usage.as_ref().unwrap_or(&Default::default());
        self.state.interaction = partial.clone();
    }

    /// Whether the service has forgotten what came before, while we have not.
    fn is_forgotten(&self, error: &ClientError) -> bool {
        let told = error.api().and_then(|api| api.message.as_deref()).unwrap_or_default();
        let by_chain = match error.status() {
            Some(404) => true,
            // An earlier turn is gone while the last one is not, or there are too many of them.
            Some(400) => ["previous_interaction_id", "conversation", "deleted"]
                .iter()
                .any(|word| told.contains(word)),
            _ => false,
        };
        self.state.previous.is_some() && self.state.whole && by_chain
    }

    /// Makes the conversation shorter if it has grown long. Failing that, it stays as it is.
    async fn compact(&mut self) -> Result<(), Stop> {
        let Some(compactor) = self.agent.0.compactor.clone() else { return Ok(()) };
        let last = self.state.last_usage.clone();
        // While calls are open, their results belong to the answer that asked for them.
        let answers_calls =
            self.state.input.iter().any(|step| matches!(step, Step::FunctionResult(_)));
        if !self.state.whole || answers_calls || !compactor.is_due(&last, &self.state.context) {
            return Ok(());
        }
        let before = self.state.context.len();
        match self.in_time(compactor.compact(self.state.context.clone())).await? {
            Ok(shorter) => {
                self.state.usage += &shorter.usage;
                self.state.context = shorter.conversation;
                self.state.previous = None;
                let after = self.state.context.len();
                self.tell(RunEvent::Compacted { before, after }).await;
            }
            Err(error) => tracing::warn!(%error, "the conversation was not made shorter"),
        }
        Ok(())
    }
}

fn by_name(tools: &[Arc<dyn Tool>]) -> HashMap<String, Arc<dyn Tool>> {
    tools.iter().map(|tool| (tool.declaration().name, Arc::clone(tool))).collect()
}

pub(super) fn named(target: &Target) -> String {
    match target {
        Target::Model(model) => model.to_string(),
        Target::Agent(agent) => agent.to_string(),
        _ => String::new(),
    }
}

/// Whether a choice makes the model call a tool.
fn forces(choice: &ToolChoice) -> bool {
    let mode = match choice {
        ToolChoice::Name(mode) => Some(mode),
        ToolChoice::Object(choice) => {
            choice.allowed_tools.as_ref().and_then(|allowed| allowed.mode.as_ref())
        }
        _ => None,
    };
    mode == Some(&ToolChoiceMode::Any)
}

/// Says what a reader of the run wants to know of the service's events.
#[derive(Default)]
struct Teller {
    /// The call of a step.
    calls: HashMap<i64, CallId>,
    has_told: bool,
}

impl Teller {
    fn tell(&mut self, event: StreamEvent) -> Option<RunEvent> {
        let told = match event {
            StreamEvent::Created(created) => {
                let interaction = created.interaction;
                tracing::Span::current().record("gen_ai.response.id", interaction.id.as_str());
                let by = interaction
                    .model
                    .map(String::from)
                    .or(interaction.agent.map(String::from))
                    .unwrap_or_default();
                return Some(RunEvent::Created { id: interaction.id, by });
            }
            StreamEvent::StepStart(start) => {
                if let Step::FunctionCall(call) = &start.step {
                    self.calls.insert(start.index, call.id.clone());
                }
                begun(start.step)
            }
            StreamEvent::StepDelta(step) => match step.delta {
                Delta::Text(delta) => some(delta.text, |text| RunEvent::Text { text }),
                Delta::ThoughtSummary(delta) => {
                    let text = delta.content.as_ref().and_then(Content::as_text);
                    some(text.unwrap_or_default().to_owned(), |text| RunEvent::Thought { text })
                }
                Delta::Arguments(delta) => {
                    let id = self.calls.get(&step.index)?.clone();
                    let text = delta.arguments.filter(|text| !text.is_empty())?;
                    Some(RunEvent::CallArguments { id, text })
                }
                Delta::McpServerToolCall(call) => Some(RunEvent::ServerCall {
                    server: call.server_name,
                    name: call.name,
                    arguments: call.arguments,
                }),
                Delta::McpServerToolResult(result) => Some(RunEvent::ServerResult {
                    server: result.server_name.unwrap_or_default(),
                    name: result.name.unwrap_or_default(),
                    output: result.result,
                }),
                _ => None,
            },
            _ => None,
        };
        self.has_told |= told.is_some();
        told
    }

    /// What was said, where no events have told it.
    fn tell_whole(&self, interaction: &Interaction) -> Vec<RunEvent> {
        if self.has_told {
            return Vec::new();
        }
        interaction.steps.iter().cloned().filter_map(begun).collect()
    }
}

/// What a step tells by itself. It may begin with its first part.
fn begun(step: Step) -> Option<RunEvent> {
    let texts =
        |contents: &[Content]| contents.iter().filter_map(Content::as_text).collect::<String>();
    match step {
        Step::FunctionCall(call) => Some(RunEvent::CallStarted { id: call.id, name: call.name }),
        Step::ModelOutput(output) => some(texts(&output.content), |text| RunEvent::Text { text }),
        Step::Thought(thought) => some(texts(&thought.summary), |text| RunEvent::Thought { text }),
        _ => None,
    }
}

fn some(text: String, event: fn(String) -> RunEvent) -> Option<RunEvent> {
    (!text.is_empty()).then(|| event(text))
}
