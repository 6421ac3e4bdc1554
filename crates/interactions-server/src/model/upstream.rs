//! `interactions`: another server of the same API, Google's included.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use interactions_client::{Backoff, Client, Error, ErrorKind, EventStream, Timeouts};
use interactions_types::{
    CreateInteraction, EventId, Input, InteractionId, Status, StreamEvent, Target, Tool,
    decode_value,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Finish, Model, ModelError, ModelEvent, ModelStream, Transient, Turn};

/// A model may think for long before its first word, and between two.
const FIRST_BYTE: Duration = Duration::from_secs(600);
const IDLE: Duration = Duration::from_secs(300);

/// Passes turns on to another server, statelessly and step by step.
///
/// History is replayed as it was stored, so signatures arrive unchanged;
/// the upstream stores nothing (`store: false`).
/// Work in the background is stored there until it is over, so that it can be taken up again by
/// another process; then it is deleted.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
}

impl Upstream {
    /// Passes turns on to the server of this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("base_url", &self.client.base_url()).finish()
    }
}

#[async_trait]
impl Model for Upstream {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        let model = turn.model.clone();
        let timeouts = Timeouts::default().with_first_byte(FIRST_BYTE).with_idle(IDLE);
        if let Some(place) = turn.attachment.as_deref().and_then(Attachment::read) {
            let mut call = self.client.get(place.id.clone()).stream().with_timeouts(timeouts);
            if let Some(event) = &place.event {
                call = call.last_event_id(event.clone());
            }
            let events = call.await.map_err(|error| explain(&model, &error))?;
            return Ok(translate(model, events.without_keeping(), Some(place)));
        }
        let (attaches, background) = (attaches(&turn), turn.background);
        let call = self.client.create(request(turn)?).stream();
        // Whether to go on with an answer that was cut is our caller's choice, like every retry
        // beyond one: our callers retry too, and tries would multiply. In the background nothing
        // goes on by itself anyway.
        let call = if background { call } else { call.automatic_continuation(false) };
        let call = call.with_retry(Backoff::default().retries(1)).with_timeouts(timeouts);
        let events = call.await.map_err(|error| explain(&model, &error))?;
        Ok(translate(model, events.without_keeping(), attaches.then(Attachment::default)))
    }

    fn runs_agents(&self) -> bool {
        true
    }

    /// Keeps the promise that the upstream holds nothing for longer than it must.
    async fn let_go(&self, attachment: &str, cancelled: bool) {
        let Some(place) = Attachment::read(attachment) else { return };
        if cancelled && let Err(error) = self.client.cancel(place.id.clone()).await {
            tracing::warn!(%error, id = %place.id, "the upstream interaction cannot be cancelled");
        }
        if let Err(error) = self.client.delete(place.id.clone()).await {
            tracing::warn!(%error, id = %place.id, "the upstream interaction cannot be deleted");
        }
    }

    fn runs_tool(&self, tool: &Tool) -> bool {
        !matches!(tool, Tool::Function(_) | Tool::McpServer(_))
    }

    /// Its server knows, and says so.
    fn makes(&self, _kind: &str) -> bool {
        true
    }

    /// It has the schema and speaks the same API: whether an answer may complete is its matter.
    fn checks_output(&self) -> bool {
        true
    }

    fn label(&self) -> String {
        format!("Interactions API at {}", self.client.base_url())
    }
}

/// Where a generation in the background of the upstream stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Attachment {
    id: InteractionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
}

impl Attachment {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|place: &Self| !place.id.as_str().is_empty())
    }

    /// Takes note of an event; what it then is can be kept, if another process could use it.
    fn note(&mut self, event: &StreamEvent) -> Option<ModelEvent> {
        if let StreamEvent::Created(created) = event {
            self.id = created.interaction.id.clone();
        }
        self.event = Some(event.event_id().filter(|id| !id.as_str().is_empty())?);
        if self.id.as_str().is_empty() || matches!(event, StreamEvent::Completed(_)) {
            return None;
        }
        serde_json::to_string(self).ok().map(ModelEvent::Attached)
    }
}

/// Whether the upstream keeps its work for us, so that it outlives this process. Agents want that.
///
/// Functions are ours to route, and half a call could not be taken up again, so a turn that has
/// some is generated anew after a crash.
fn attaches(turn: &Turn) -> bool {
    (turn.background || turn.agent.is_some()) && turn.functions.is_empty()
}

fn request(turn: Turn) -> Result<CreateInteraction, ModelError> {
    let mut tools: Vec<serde_json::Value> = turn
        .functions
        .iter()
        .map(|function| {
            let mut tool = json!({"type": "function", "name": function.name, "parameters": function.parameters});
            if let Some(description) = &function.description {
                tool["description"] = json!(description);
            }
            tool
        })
        .collect();
    tools.extend(turn.native_tools.iter().filter_map(|tool| serde_json::to_value(tool).ok()));

    let attaches = attaches(&turn);
    let mut generation = turn.generation;
    generation.tool_choice = turn.tool_choice.map(Into::into);
    let mut body = if attaches {
        json!({"store": true, "background": turn.background})
    } else {
        json!({"store": false})
    };
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    if let Some(system) = turn.system {
        body["system_instruction"] = system.into();
    }
    if let Some(format) = turn.response_format {
        body["response_format"] = format;
    }
    let mut request: CreateInteraction = decode_value(&body)
        .map_err(|error| ModelError::permanent("invalid_request", error.to_string()))?;
    request.input = Some(Input::Steps(turn.steps));
    request.safety_settings = turn.safety_settings;
    request.service_tier = turn.service_tier;
    if generation != Default::default() {
        request.generation_config = Some(generation);
    }
    Ok(match turn.agent {
        Some(task) => {
            request.agent_config = task.config;
            request.target(Target::agent(turn.model))
        }
        None => request.target(Target::model(turn.model)),
    })
}

fn translate(model: String, events: EventStream, mut place: Option<Attachment>) -> ModelStream {
    events
        .flat_map(move |event| {
            let events = match event {
                Ok(event) => {
                    let attached = place.as_mut().and_then(|place| place.note(&event));
                    let mut events = model_events(event);
                    events.extend(attached.map(Ok));
                    events
                }
                Err(error) => vec![Err(explain(&model, &error))],
            };
            stream::iter(events)
        })
        .boxed()
}

fn model_events(event: StreamEvent) -> Vec<Result<ModelEvent, ModelError>> {
    match event {
        StreamEvent::StepStart(start) => vec![Ok(ModelEvent::Start(start.step))],
        StreamEvent::StepDelta(delta) => vec![Ok(ModelEvent::Delta(delta.delta))],
        StreamEvent::StepStop(_) => vec![Ok(ModelEvent::Stop)],
        StreamEvent::Completed(completed) => {
            let interaction = *completed.interaction;
            let mut events = Vec::new();
            if let Some(usage) = interaction.usage {
                events.push(Ok(ModelEvent::Usage(usage)));
            }
            events.push(match interaction.status {
                Status::Completed | Status::RequiresAction => Ok(ModelEvent::Finish(Finish::Stop)),
                Status::Incomplete | Status::BudgetExceeded | Status::RequiresContinuation => {
                    Ok(ModelEvent::Finish(Finish::MaxTokens))
                }
                status => {
                    let first = interaction.errors.into_iter().flatten().next().unwrap_or_default();
                    let code = first.code.unwrap_or_else(|| "api_error".to_owned());
                    let message = first
                        .message
                        .unwrap_or_else(|| format!("the upstream interaction ended as {status}"));
                    Err(ModelError::permanent(code, message))
                }
            });
            events
        }
        _ => Vec::new(),
    }
}

/// What of an upstream failure the caller may know.
fn explain(model: &str, error: &Error) -> ModelError {
    tracing::warn!(%error, model, "the upstream server failed");
    match (error.kind(), error.status()) {
        (_, Some(429)) => ModelError::transient(
            Transient::RateLimited(error.retry_after()),
            format!("the server of `{model}` asks to slow down"),
        ),
        (_, Some(401 | 403)) => ModelError::permanent(
            "api_error",
            format!("the server of `{model}` refused this server's credentials"),
        ),
        (_, Some(408 | 504)) => ModelError::transient(
            Transient::Timeout,
            format!("the server of `{model}` took too long"),
        ),
        (_, Some(500..)) => {
            ModelError::transient(Transient::Unavailable, format!("the server of `{model}` failed"))
        }
        (ErrorKind::Api, _) => {
            let api = error.api().cloned().unwrap_or_default();
            ModelError::permanent(
                api.code.unwrap_or_else(|| "api_error".to_owned()),
                api.message.unwrap_or_else(|| "the upstream server reported an error".to_owned()),
            )
        }
        _ if error.is_timeout() => ModelError::transient(
            Transient::Timeout,
            format!("the server of `{model}` took too long"),
        ),
        (ErrorKind::Transport | ErrorKind::Stream, _) => ModelError::transient(
            Transient::Unavailable,
            format!("the server of `{model}` cannot be reached"),
        ),
        _ => ModelError::permanent(
            "api_error",
            format!("the server of `{model}` answered with something unintelligible"),
        ),
    }
}
