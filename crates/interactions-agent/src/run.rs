//! The loop: create, collect pending calls, run tools, answer.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::channel::mpsc::{self, Receiver, Sender};
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, Stream, StreamExt, stream};
use interactions_client::Error as ClientError;
use interactions_types::{
    AccumulateError, CallId, Content, CreateInteraction, Delta, FunctionCall, FunctionResult,
    Input, Interaction, Status, Step, StreamEvent, ToolChoice, ToolChoiceMode,
};
use tracing::Instrument;

use crate::toolbox::answer;
use crate::{Agent, AgentError, Outcome, RunEvent, ToolError};

/// How many events a run may be ahead of its reader.
const AHEAD: usize = 64;

/// The events of a run. The run goes on as far as it is read; dropping it stops everything.
#[must_use = "a run does nothing until it is read"]
pub struct RunStream {
    events: Receiver<Result<RunEvent, AgentError>>,
    /// The run itself; polled with the stream, so it needs no task of its own.
    driver: Option<BoxFuture<'static, ()>>,
}

impl RunStream {
    pub(crate) fn new(agent: Agent, input: Input) -> Self {
        let (sender, events) = mpsc::channel(AHEAD);
        let span = tracing::info_span!("invoke_agent", gen_ai.operation.name = "invoke_agent");
        let driver = async move {
            let mut run = Run { agent: &agent, events: sender, outcome: Outcome::default() };
            let last = match run.drive(input).await {
                Ok(()) => Ok(RunEvent::Finished(Box::new(run.outcome))),
                Err(stop) => Err(stop.into_error(run.outcome)),
            };
            // Nobody is left to tell when the stream was dropped.
            let _ = run.events.send(last).await;
        };
        Self { events, driver: Some(driver.instrument(span).boxed()) }
    }
}

impl Stream for RunStream {
    type Item = Result<RunEvent, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(event) = self.events.poll_next_unpin(cx) {
            return Poll::Ready(event);
        }
        if let Some(driver) = &mut self.driver
            && driver.poll_unpin(cx).is_ready()
        {
            self.driver = None;
        }
        self.events.poll_next_unpin(cx)
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream").field("over", &self.driver.is_none()).finish_non_exhaustive()
    }
}

/// Reads a run for its outcome only.
pub(crate) async fn to_the_end(mut run: RunStream) -> Result<Outcome, AgentError> {
    while let Some(event) = run.next().await {
        if let RunEvent::Finished(outcome) = event? {
            return Ok(*outcome);
        }
    }
    unreachable!("a run ends with Finished or an error")
}

/// Calls whose arguments cannot be read, and why.
type Faults = HashMap<CallId, String>;

struct Run<'a> {
    agent: &'a Agent,
    events: Sender<Result<RunEvent, AgentError>>,
    outcome: Outcome,
}

/// What ends a run before its answer.
enum Stop {
    Client(ClientError),
    Failed,
    Cancelled,
    TurnLimit,
}

impl Stop {
    fn into_error(self, outcome: Outcome) -> AgentError {
        let outcome = Box::new(outcome);
        match self {
            Self::Client(source) => AgentError::Client { source, outcome },
            Self::Failed => AgentError::Failed(outcome),
            Self::Cancelled => AgentError::Cancelled(outcome),
            Self::TurnLimit => AgentError::TurnLimit(outcome),
        }
    }
}

impl Run<'_> {
    async fn drive(&mut self, input: Input) -> Result<(), Stop> {
        let mut input = input.into_steps();
        let mut previous = self.agent.0.previous.clone();
        for turn in 1..=self.agent.0.max_turns {
            self.outcome.turns = turn;
            self.tell(RunEvent::TurnStarted { turn }).await;
            let mut request = self.request(input.clone());
            request.previous_interaction_id.clone_from(&previous);
            self.outcome.steps.append(&mut input);
            let (interaction, faults) = self.ask(request).await?;

            self.outcome.steps.extend(interaction.steps.iter().cloned());
            self.outcome.usage += interaction.usage.as_ref().unwrap_or(&Default::default());
            self.outcome.interaction = interaction;
            let interaction = &self.outcome.interaction;
            let (id, status, usage) = (
                interaction.id.clone(),
                interaction.status.clone(),
                interaction.usage.clone().map(Box::new),
            );
            let calls: Vec<FunctionCall> =
                interaction.pending_calls().into_iter().cloned().collect();
            self.tell(RunEvent::TurnFinished { id: id.clone(), status: status.clone(), usage })
                .await;
            match status {
                Status::Failed => return Err(Stop::Failed),
                Status::Cancelled => return Err(Stop::Cancelled),
                // The service sometimes asks for action and has nothing for us to do.
                Status::RequiresAction if !calls.is_empty() => {}
                _ => return Ok(()),
            }

            // In the last turn nobody would hear of the results, and whoever goes on would run
            // the tools again.
            if turn == self.agent.0.max_turns {
                break;
            }
            input = self.carry_out(calls, &faults).await.into_iter().map(Step::from).collect();
            if self.agent.0.store {
                previous = Some(id);
            }
        }
        Err(Stop::TurnLimit)
    }

    fn request(&self, input: Vec<Step>) -> CreateInteraction {
        let agent = &self.agent.0;
        let input = if agent.store { input } else { [&self.outcome.steps[..], &input].concat() };
        let mut request = CreateInteraction::new(agent.target.clone(), Input::Steps(input));
        let functions =
            agent.toolbox.declarations().into_iter().map(interactions_types::Tool::from);
        let tools: Vec<_> = functions.chain(agent.server_tools.iter().cloned()).collect();
        request.tools = (!tools.is_empty()).then_some(tools);
        request.system_instruction.clone_from(&agent.system_instruction);
        request.generation_config.clone_from(&agent.generation_config);
        if self.outcome.turns > 1
            && let Some(config) = &mut request.generation_config
            && config.tool_choice.as_ref().is_some_and(forces)
        {
            // A model that must call a tool in every turn never answers.
            config.tool_choice = None;
        }
        request.store = (!agent.store).then_some(false);
        request
    }

    /// Streams one interaction, telling what comes.
    ///
    /// Beside it are the calls whose arguments cannot be read, and why.
    async fn ask(&mut self, request: CreateInteraction) -> Result<(Interaction, Faults), Stop> {
        let mut events =
            self.agent.0.client.create(request).stream().await.map_err(Stop::Client)?;
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    // What arrived is kept: it may be much, and it was paid for.
                    let partial = error.partial().cloned().unwrap_or_default();
                    self.outcome.steps.extend(partial.steps.iter().cloned());
                    self.outcome.usage += partial.usage.as_ref().unwrap_or(&Default::default());
                    let has_failed = partial.status == Status::Failed;
                    self.outcome.interaction = partial;
                    return Err(if has_failed { Stop::Failed } else { Stop::Client(error) });
                }
            };
            if let Some(event) = told(event) {
                self.tell(event).await;
            }
        }
        let fault =
            |misfit: &AccumulateError| Some((misfit.call_id()?.clone(), misfit.to_string()));
        let faults = events.misfits().iter().filter_map(fault).collect();
        Ok((events.interaction().unwrap_or_default(), faults))
    }

    /// Runs tools side by side and gives their results in the order of the calls.
    async fn carry_out(
        &mut self,
        calls: Vec<FunctionCall>,
        faults: &Faults,
    ) -> Vec<FunctionResult> {
        for call in &calls {
            let (id, name, arguments) =
                (call.id.clone(), call.name.clone(), call.arguments.clone());
            self.tell(RunEvent::CallReady { id, name, arguments }).await;
        }
        let agent = &self.agent.0;
        let interaction = &self.outcome.interaction.id;
        let numbered = calls.into_iter().enumerate();
        let mut running = stream::iter(numbered)
            .map(|(number, call)| {
                let span = tracing::info_span!(
                    "execute_tool",
                    gen_ai.operation.name = "execute_tool",
                    gen_ai.tool.name = call.name,
                    gen_ai.tool.call.id = %call.id,
                );
                async move {
                    let began = Instant::now();
                    let result = match faults.get(&call.id) {
                        // Without its arguments a tool could do what nobody asked for.
                        Some(fault) => Err(ToolError::new(fault)),
                        None => agent.toolbox.call(&call, interaction, agent.tool_timeout).await,
                    };
                    (number, call, answer(result), began.elapsed())
                }
                .instrument(span)
            })
            .buffer_unordered(agent.max_parallel_tools);
        let mut results = Vec::new();
        while let Some((number, call, (output, is_error), elapsed)) = running.next().await {
            let mut result = call.result(output.clone());
            result.is_error = is_error.then_some(true);
            results.push((number, result));
            let event =
                RunEvent::ToolFinished { id: call.id, name: call.name, output, is_error, elapsed };
            // Told as they end; a reader that has gone is noticed by the drop of this future.
            let _ = self.events.send(Ok(event)).await;
        }
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }

    async fn tell(&mut self, event: RunEvent) {
        let _ = self.events.send(Ok(event)).await;
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

/// What a reader of the run wants to know of an event of the stream.
fn told(event: StreamEvent) -> Option<RunEvent> {
    let texts =
        |contents: &[Content]| contents.iter().filter_map(Content::as_text).collect::<String>();
    let some =
        |text: String, event: fn(String) -> RunEvent| (!text.is_empty()).then(|| event(text));
    match event {
        StreamEvent::Created(created) => {
            let interaction = created.interaction;
            let by = interaction
                .model
                .map(String::from)
                .or(interaction.agent.map(String::from))
                .unwrap_or_default();
            Some(RunEvent::Created { id: interaction.id, by })
        }
        StreamEvent::StepStart(start) => match start.step {
            Step::FunctionCall(call) => {
                Some(RunEvent::CallStarted { id: call.id, name: call.name })
            }
            // A step may begin with its first part.
            Step::ModelOutput(output) => {
                some(texts(&output.content), |text| RunEvent::Text { text })
            }
            Step::Thought(thought) => {
                some(texts(&thought.summary), |text| RunEvent::Thought { text })
            }
            _ => None,
        },
        StreamEvent::StepDelta(step) => match step.delta {
            Delta::Text(delta) => some(delta.text, |text| RunEvent::Text { text }),
            Delta::ThoughtSummary(delta) => {
                let text = delta
                    .content
                    .as_ref()
                    .and_then(Content::as_text)
                    .unwrap_or_default()
                    .to_owned();
                some(text, |text| RunEvent::Thought { text })
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
    }
}
