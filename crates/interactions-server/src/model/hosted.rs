//! Rust agents that run in this server, their inner steps visible.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use interactions_agent::{Agent, AgentError, CallerLabels, RunEvent, RunState, RunStream};
use interactions_types::{
    CallId, Content, FunctionCall, FunctionResult, Input, McpServerToolCall, McpServerToolResult,
    ModelOutput, Status, Step, TextDelta, Thought, ThoughtSummaryDelta, Usage,
};

use super::{Finish, Model, ModelError, ModelEvent, ModelStream, Turn};
use crate::engine::new_id;

/// An agent of this process as something that answers turns: one turn is its whole task.
#[derive(Clone, Debug)]
pub(crate) struct Hosted(Agent);

impl Hosted {
    pub(crate) fn new(agent: Agent) -> Self {
        Self(agent)
    }
}

#[async_trait]
impl Model for Hosted {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        let agent = self.0.with_dependency(CallerLabels::new(turn.labels));
        let telling = Telling {
            run: agent.stream(Input::Steps(turn.steps)),
            open: Open::Nothing,
            usage: Usage::default(),
            server_calls: Vec::new(),
            ready: VecDeque::new(),
            over: false,
        };
        Ok(stream::unfold(telling, |mut telling| async move {
            loop {
                if let Some(event) = telling.ready.pop_front() {
                    return Some((Ok(event), telling));
                }
                if telling.over {
                    return None;
                }
                match telling.run.next().await {
                    Some(Ok(event)) => telling.tell(event),
                    Some(Err(error)) => {
                        telling.over = true;
                        return Some((Err(explain(&error)), telling));
                    }
                    None => return None,
                }
            }
        })
        .boxed())
    }

    fn carries_out_calls(&self) -> bool {
        true
    }

    fn label(&self) -> String {
        "an agent of this server".to_owned()
    }
}

/// A run on its way to becoming steps.
struct Telling {
    run: RunStream,
    open: Open,
    usage: Usage,
    /// Calls of MCP tools whose results are to come: server, tool, and the id they got here.
    server_calls: Vec<(String, String, CallId)>,
    ready: VecDeque<ModelEvent>,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Thought,
    Text,
}

impl Telling {
    fn tell(&mut self, event: RunEvent) {
        match event {
            RunEvent::Thought { text } => {
                self.open(Open::Thought);
                let delta = ThoughtSummaryDelta::new().content(Content::text(text));
                self.ready.push_back(ModelEvent::Delta(delta.into()));
            }
            RunEvent::Text { text } => {
                self.open(Open::Text);
                self.ready.push_back(ModelEvent::Delta(TextDelta::new(text).into()));
            }
            RunEvent::CallReady { id, name, arguments } => {
                self.step(FunctionCall::new(id, name, arguments));
            }
            RunEvent::ToolFinished { id, name, output, is_error, .. } => {
                let mut result = FunctionResult::new(id, output).name(name);
                result.is_error = is_error.then_some(true);
                self.step(result);
            }
            RunEvent::ServerCall { server, name, arguments } => {
                let id = CallId::new(new_id("call_"));
                self.server_calls.push((server.clone(), name.clone(), id.clone()));
                self.step(McpServerToolCall::new(id, name, server, arguments));
            }
            RunEvent::ServerResult { server, name, output } => {
                let call =
                    self.server_calls.iter().position(|(s, n, _)| *s == server && *n == name);
                if let Some(call) = call {
                    let (_, _, id) = self.server_calls.remove(call);
                    self.step(McpServerToolResult::new(id, output).name(name).server_name(server));
                }
            }
            RunEvent::TurnFinished { usage: Some(usage), .. } => {
                self.usage += &*usage;
                self.ready.push_back(ModelEvent::Usage(self.usage.clone()));
            }
            RunEvent::Finished(outcome) => {
                self.open(Open::Nothing);
                let waiting = outcome.paused().map(RunState::pending).unwrap_or_default();
                let finish = match outcome.interaction.status {
                    _ if !waiting.is_empty() => Finish::RequiresAction,
                    Status::Incomplete | Status::BudgetExceeded => Finish::MaxTokens,
                    _ => Finish::Stop,
                };
                // Whoever called the agent is who can decide: their result is the call's.
                for call in waiting {
                    self.step(FunctionCall::new(call.id, call.name, call.arguments));
                }
                self.ready.push_back(ModelEvent::Finish(finish));
                self.over = true;
            }
            _ => {}
        }
    }

    fn open(&mut self, what: Open) {
        if self.open == what {
            return;
        }
        if self.open != Open::Nothing {
            self.ready.push_back(ModelEvent::Stop);
        }
        self.open = what;
        let step: Step = match what {
            Open::Nothing => return,
            Open::Thought => Thought::new().into(),
            Open::Text => ModelOutput::new().into(),
        };
        self.ready.push_back(ModelEvent::Start(step));
    }

    fn step(&mut self, step: impl Into<Step>) {
        self.open(Open::Nothing);
        self.ready.push_back(ModelEvent::Start(step.into()));
        self.ready.push_back(ModelEvent::Stop);
    }
}

/// What of an agent's failure its caller may know.
fn explain(error: &AgentError) -> ModelError {
    tracing::warn!(%error, "a hosted agent failed");
    let message = match error {
        AgentError::Limit { .. } => "the agent has reached a limit without an answer",
        AgentError::Cancelled(_) => "the agent's own interaction was cancelled",
        AgentError::Failed(_) => "the agent's model failed",
        _ => "the agent could not do its work",
    };
    ModelError::permanent("agent_failed", message)
}
