//! The Interactions API for whoever speaks A2A: a transport for the official A2A client.
//!
//! A card says which model or agent is meant; the official client makes a client of it, which then
//! talks to the Interactions API through our [`Client`].
//!
//! ```
//! use interactions_a2a::reverse::a2a_client::A2AClientFactory;
//! use interactions_a2a::reverse::{InteractionsTransportFactory, interactions_card};
//! use interactions_a2a::wire::{Message, Part, Role, SendMessageRequest, SendMessageResponse};
//! use interactions_client::Client;
//! use interactions_types::CreateInteraction;
//! # use interactions_testing::{ScriptedModel, ScriptedTurn};
//!
//! # let rt = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # rt.block_on(async {
//! # let model = ScriptedModel::new([ScriptedTurn::text("Rayleigh scattering.")]);
//! // `Client::from_env()?` would talk to Google with the key in GEMINI_API_KEY.
//! let client = Client::builder().transport(model.transport()).build()?;
//! let request = CreateInteraction::new("gemini-3.8-flash", "");
//! let card = interactions_card("https://generativelanguage.googleapis.com", &request);
//!
//! let factory = InteractionsTransportFactory::new(client);
//! let factory = factory.register(A2AClientFactory::builder().no_defaults()).build();
//! let agent = factory.create_from_card(&card).await?;
//!
//! let message = Message::new(Role::User, vec![Part::text("Why is the sky blue?")]);
//! let request =
//!     SendMessageRequest { message, configuration: None, metadata: None, tenant: None };
//! let SendMessageResponse::Task(task) = agent.send_message(&request).await? else { panic!() };
//! let artifacts = task.artifacts.unwrap_or_default();
//! assert_eq!(artifacts[0].parts[0].as_text(), Some("Rayleigh scattering."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes what
//!
//! | A2A | Interactions |
//! |---|---|
//! | task | interaction; the task's id is the interaction's |
//! | context | chain of `previous_interaction_id`; its id is that of the first interaction |
//! | message in a context | new interaction after the last one that ended well |
//! | message to a task in `INPUT_REQUIRED` | `function_result` steps in a new interaction, so in a new task of the same context |
//! | `returnImmediately` | `background` |
//! | `taskPushNotificationConfig` when sending | `webhook_config`: the address gets events of the Interactions API, not of A2A |
//! | `acceptedOutputModes` without text | `response_format` |
//! | `SubscribeToTask` | events from the first one on, then the end; an ended task at once |
//! | `CancelTask` | cancel; what never ran in the background cannot be cancelled everywhere |
//! | `ListTasks`, changes of push configurations | not supported |
//!
//! A task stays what its interaction is: one that asked something keeps asking after the answer, and
//! a message that fails is not taken back. Of messages that are sent into one context at the same
//! time, each goes on from what had ended then; the next one goes on from the last that was begun.
//!
//! Errors of the service keep its HTTP status, its word for the error, its name for the request
//! and the wait that it asks for in the details. Service parameters do not travel, except that the
//! version is checked; tenants and extensions mean nothing here.

mod card;
mod context;
mod error;
mod events;
mod factory;
mod snapshot;
mod turn;

use std::fmt;
use std::sync::Arc;

use a2a_client::{ServiceParams, Transport};
use async_trait::async_trait;
use futures::stream::BoxStream;
use interactions_client::Client;
use interactions_types::{CreateInteraction, Interaction, InteractionId, Status};

use crate::check::history_length;
use crate::executor::interactions::Telling;
use crate::fault::{Fault, FaultKind};
use crate::wire::{
    A2AError, AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest,
    ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse,
    ListTasksRequest, ListTasksResponse, Message, SendMessageRequest, SendMessageResponse,
    StreamResponse, SubscribeToTaskRequest, Task, TaskPushNotificationConfig, VERSION_HEADER,
};
use context::Contexts;
use error::{refusal, upstream};
use turn::{Begin, Turn};

pub use a2a_client;
pub use card::{ALIAS, BINDING, base_request, interactions_card, read_card};
pub use factory::InteractionsTransportFactory;

/// How many contexts are remembered unless it is said.
const CONTEXTS: usize = 1024;

/// A way for the official A2A client to an Interactions endpoint.
///
/// Everything that must last is at the endpoint. The transport remembers the ends of the contexts
/// that it has seen last; of others the end is looked for there, see
/// [`remembered_contexts`](Self::remembered_contexts).
#[derive(Clone)]
#[must_use]
pub struct InteractionsTransport {
    client: Client,
    request: Arc<CreateInteraction>,
    telling: Telling,
    options: Options,
    contexts: Arc<Contexts>,
    card: Option<Arc<AgentCard>>,
}

/// What can be said of a transport.
#[derive(Clone, Copy, Debug)]
struct Options {
    chain_terminal_tasks: bool,
    contexts: usize,
    thoughts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { chain_terminal_tasks: false, contexts: CONTEXTS, thoughts: true }
    }
}

impl fmt::Debug for InteractionsTransport {
    /// Leaves out the request, which may hold secrets of its tools.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InteractionsTransport")
            .field("client", &self.client)
            .field("target", &self.request.named_target())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl InteractionsTransport {
    /// Every message becomes a request like this one; its input is replaced.
    ///
    /// What the request says about `background` holds, and the rest of it goes along unchanged.
    /// Interactions are always stored, since tasks are.
    pub fn new(client: Client, request: CreateInteraction) -> Self {
        Self::with_options(client, request, Options::default())
    }

    fn with_options(client: Client, mut request: CreateInteraction, options: Options) -> Self {
        (request.input, request.stream, request.continuation_token) = (None, None, None);
        let telling = Telling { thoughts: options.thoughts, ..Telling::of(&request) };
        let contexts = Arc::new(Contexts::new(options.contexts));
        Self { client, request: Arc::new(request), telling, options, contexts, card: None }
    }

    /// Whether a message to a task that has ended begins another one after it, instead of being
    /// refused as the protocol has it; not by default.
    pub fn chain_terminal_tasks(mut self, chained: bool) -> Self {
        self.options.chain_terminal_tasks = chained;
        self
    }

    /// Of how many contexts the last task is remembered; 1024 by default.
    ///
    /// For a context that is not remembered, a message should name the last task in
    /// `referenceTaskIds`. Where it does not, the task is looked for by its label, if the endpoint
    /// can list interactions by their labels (our own server can); else the message is refused,
    /// rather than that a part of the conversation is silently left out.
    pub fn remembered_contexts(mut self, contexts: usize) -> Self {
        self.options.contexts = contexts;
        self.contexts = Arc::new(Contexts::new(contexts));
        self
    }

    /// Whether summaries of thoughts are told, as status updates; they are by default.
    pub fn thoughts(mut self, told: bool) -> Self {
        self.options.thoughts = told;
        self.telling.thoughts = told;
        self
    }

    fn with_card(mut self, card: &AgentCard) -> Self {
        self.card = Some(Arc::new(card.clone()));
        self
    }

    async fn read(&self, id: &str) -> Result<Interaction, A2AError> {
        let interaction = self.client.get(InteractionId::from(id)).await;
        interaction.map_err(|error| upstream(&error, Some(id)))
    }

    async fn send(&self, begin: Box<Begin>, immediately: bool) -> Result<Task, A2AError> {
        let Begin { request, context, message } = *begin;
        let previous = request.previous_interaction_id.clone();
        let reply = self.client.create(request).with_reply().await;
        let reply = reply
            .map_err(|error| upstream(&error, previous.as_ref().map(InteractionId::as_str)))?;
        let (hops, mut interaction) = (reply.hops, reply.value);
        let last = interaction.id.clone();
        // A task whose answer took several interactions has the name of the first.
        let id = hops.first().unwrap_or(&last).to_string();
        let context = context.unwrap_or_else(|| id.clone());
        self.contexts.note(&context, [id.as_str(), last.as_str()]);
        if interaction.status.is_running() && !immediately {
            let end = self.client.wait(&last).await;
            interaction = end.map_err(|error| upstream(&error, Some(last.as_str())))?;
        }
        interaction.id = id.into();
        let mut task = snapshot::task(interaction, &context, self.telling);
        task.history = Some(vec![placed(message, &task.id, &context)]);
        Ok(task)
    }

    async fn cancelled(&self, id: &str) -> Result<Interaction, A2AError> {
        let error = match self.client.cancel(InteractionId::from(id)).await {
            Ok(interaction) => return Ok(interaction),
            Err(error) => error,
        };
        if !matches!(error.status(), Some(400 | 409)) {
            return Err(upstream(&error, Some(id)));
        }
        // It does not run; only its state says whether that is what was wanted.
        match self.client.get(InteractionId::from(id)).await {
            Ok(interaction) if interaction.status == Status::Cancelled => Ok(interaction),
            Ok(interaction) if !interaction.status.is_running() => {
                let message =
                    format!("the task is `{}` and cannot be cancelled", interaction.status);
                Err(refusal(&Fault::new(FaultKind::TaskNotCancelable, message)))
            }
            // Such as work that is not in the background.
            Ok(_) => Err(error::as_kind(&error, FaultKind::TaskNotCancelable)),
            Err(_) => Err(upstream(&error, Some(id))),
        }
    }

    async fn shown(&self, interaction: Interaction) -> Result<Task, A2AError> {
        let context = self.context_of(&interaction).await?;
        Ok(snapshot::task(interaction, &context, self.telling))
    }
}

/// A message with the names of the task that it is in.
fn placed(mut message: Message, task: &str, context: &str) -> Message {
    message.task_id = Some(task.to_owned());
    message.context_id = Some(context.to_owned());
    message
}

/// The names of parameters are compared as those of headers are.
fn check_version(params: &ServiceParams) -> Result<(), A2AError> {
    let versions = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(VERSION_HEADER));
    match versions
        .flat_map(|(_, values)| values)
        .find(|version| !version.is_empty() && version.split('.').next() != Some("1"))
    {
        Some(other) => {
            let message = format!("version {other} is not spoken here; 1.0 is");
            Err(refusal(&Fault::new(FaultKind::VersionNotSupported, message)))
        }
        None => Ok(()),
    }
}

fn no_push() -> A2AError {
    let message = "an address for push notifications can only be given when a message is sent, \
                   in `configuration.taskPushNotificationConfig`";
    refusal(&Fault::new(FaultKind::PushNotificationNotSupported, message))
}

/// What the operations mean here is told by the [module](self).
///
/// Dropping the future of a send, or a stream, does not stop the work; cancelling the task does.
#[async_trait]
impl Transport for InteractionsTransport {
    async fn send_message(
        &self,
        params: &ServiceParams,
        req: &SendMessageRequest,
    ) -> Result<SendMessageResponse, A2AError> {
        check_version(params)?;
        let configuration = req.configuration.as_ref();
        let length = configuration.and_then(|one| one.history_length);
        let length = history_length(length).map_err(|fault| refusal(&fault))?;
        let immediately = configuration.and_then(|one| one.return_immediately) == Some(true);
        let mut task = match self.turn(req, immediately).await? {
            Turn::Begin(begin) => self.send(begin, immediately).await?,
            Turn::Asks(task) => *task,
        };
        snapshot::shorten(&mut task, length);
        Ok(SendMessageResponse::Task(task))
    }

    async fn send_streaming_message(
        &self,
        params: &ServiceParams,
        req: &SendMessageRequest,
    ) -> Result<BoxStream<'static, Result<StreamResponse, A2AError>>, A2AError> {
        check_version(params)?;
        let length = req.configuration.as_ref().and_then(|one| one.history_length);
        let length = history_length(length).map_err(|fault| refusal(&fault))?;
        match self.turn(req, false).await? {
            Turn::Begin(begin) => self.begun(begin, length).await,
            Turn::Asks(mut task) => {
                snapshot::shorten(&mut task, length);
                Ok(events::only(*task))
            }
        }
    }

    async fn get_task(
        &self,
        params: &ServiceParams,
        req: &GetTaskRequest,
    ) -> Result<Task, A2AError> {
        check_version(params)?;
        let length = history_length(req.history_length).map_err(|fault| refusal(&fault))?;
        let mut task = self.shown(self.read(&req.id).await?).await?;
        snapshot::shorten(&mut task, length);
        Ok(task)
    }

    async fn list_tasks(
        &self,
        _params: &ServiceParams,
        _req: &ListTasksRequest,
    ) -> Result<ListTasksResponse, A2AError> {
        let message = "the Interactions API keeps no list of tasks; keep the ids of those you need";
        Err(refusal(&Fault::unsupported(message)))
    }

    async fn cancel_task(
        &self,
        params: &ServiceParams,
        req: &CancelTaskRequest,
    ) -> Result<Task, A2AError> {
        check_version(params)?;
        self.shown(self.cancelled(&req.id).await?).await
    }

    async fn subscribe_to_task(
        &self,
        params: &ServiceParams,
        req: &SubscribeToTaskRequest,
    ) -> Result<BoxStream<'static, Result<StreamResponse, A2AError>>, A2AError> {
        check_version(params)?;
        let interaction = self.read(&req.id).await?;
        let runs = interaction.status.is_running();
        let task = self.shown(interaction).await?;
        if runs { Ok(self.followed(task).await) } else { Ok(events::only(task)) }
    }

    async fn create_push_config(
        &self,
        _params: &ServiceParams,
        _req: &TaskPushNotificationConfig,
    ) -> Result<TaskPushNotificationConfig, A2AError> {
        Err(no_push())
    }

    async fn get_push_config(
        &self,
        _params: &ServiceParams,
        _req: &GetTaskPushNotificationConfigRequest,
    ) -> Result<TaskPushNotificationConfig, A2AError> {
        Err(no_push())
    }

    async fn list_push_configs(
        &self,
        _params: &ServiceParams,
        _req: &ListTaskPushNotificationConfigsRequest,
    ) -> Result<ListTaskPushNotificationConfigsResponse, A2AError> {
        Err(no_push())
    }

    async fn delete_push_config(
        &self,
        _params: &ServiceParams,
        _req: &DeleteTaskPushNotificationConfigRequest,
    ) -> Result<(), A2AError> {
        Err(no_push())
    }

    /// The card that the transport was made from; nobody has another.
    async fn get_extended_agent_card(
        &self,
        _params: &ServiceParams,
        _req: &GetExtendedAgentCardRequest,
    ) -> Result<AgentCard, A2AError> {
        match &self.card {
            Some(card) => Ok(AgentCard::clone(card)),
            None => {
                let message = "this client was made without a card";
                Err(refusal(&Fault::new(FaultKind::ExtendedAgentCardNotConfigured, message)))
            }
        }
    }

    /// Nothing is held that would have to be given back.
    async fn destroy(&self) -> Result<(), A2AError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
