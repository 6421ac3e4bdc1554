//! The protocol's operations, the same for every binding.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};

use super::agent::HostedAgent;
use super::auth::Principal;
use super::engine::{Engine, broken};
use super::feed::{Told, Until};
use crate::check::{check, history_length};
use crate::executor::interactions::depth;
use crate::executor::{Lost, Reception, Update};
use crate::fault::{Fault, FaultKind};
use crate::index::{Inserted, Position, Query};
use crate::task::{Scope, TaskRecord, TurnRecord};
use crate::updates::reduce;
use crate::wire::{
    Artifact, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    ListTasksRequest, ListTasksResponse, Message, SendMessageConfiguration, SendMessageRequest,
    SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task, TaskPushNotificationConfig,
    TaskState, Timestamp,
};

/// Chains of agents that call agents are longer by mistake only.
const DEEPEST: u64 = 16;
const PAGE: i32 = 50;
const LARGEST_PAGE: i32 = 100;

/// Who calls, and which agent.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The route to the agent, if the caller has named one.
    pub(crate) tenant: Option<String>,
    /// The extensions that the caller speaks.
    pub(crate) extensions: Vec<String>,
}

/// Events, each with the place behind it where it can be taken up again.
pub(crate) type Events = BoxStream<'static, Result<(Option<Position>, StreamResponse), Fault>>;

impl Engine {
    /// The agent that a caller means, and the scope of its tasks with it.
    pub(crate) fn agent(&self, caller: &Caller) -> Result<(Scope, Arc<HostedAgent>), Fault> {
        let tenant = caller.tenant.as_deref().filter(|tenant| !tenant.is_empty());
        let route = tenant.unwrap_or(&self.default);
        let agent = self.agents.get(route).cloned().ok_or_else(|| {
            let shown: String = route.chars().take(64).collect();
            Fault::invalid("tenant", format!("there is no agent `{shown}` here"))
        })?;
        for (uri, required) in agent.card.extensions() {
            if required && !caller.extensions.iter().any(|used| used == uri) {
                let message = format!("the agent needs the extension `{uri}` in A2A-Extensions");
                return Err(Fault::new(FaultKind::ExtensionSupportRequired, message));
            }
        }
        Ok((Scope::new(caller.principal.owner(), route), agent))
    }

    /// The extensions of a request that its agent speaks.
    pub(crate) fn activated(&self, caller: &Caller) -> Vec<String> {
        let Ok((_, agent)) = self.agent(caller) else { return Vec::new() };
        let known = |uri: &String| agent.card.extensions().any(|(known, _)| known == uri);
        caller.extensions.iter().filter(|uri| known(uri)).cloned().collect()
    }

    /// `SendMessage`.
    pub(crate) async fn send(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
    ) -> Result<SendMessageResponse, Fault> {
        let configuration = request.configuration.clone();
        let history = history_length(configuration.as_ref().and_then(|one| one.history_length))?;
        let (scope, task) = match self.accept(caller, request).await? {
            Accepted::Message(message) => return Ok(SendMessageResponse::Message(*message)),
            Accepted::Task(scope, task) => (scope, task),
        };
        let immediately = configuration.and_then(|one| one.return_immediately) == Some(true);
        let task = if immediately {
            self.task(&scope, &task.id).await?
        } else {
            self.wait(&scope, &task.id, |task| !task.is_unfinished()).await?
        };
        Ok(SendMessageResponse::Task(self.shown(&task, history, true).await?))
    }

    /// `SendStreamingMessage`.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
    ) -> Result<Events, Fault> {
        let configuration = request.configuration.clone();
        let history = history_length(configuration.and_then(|one| one.history_length))?;
        let (scope, task) = match self.accept(caller, request).await? {
            Accepted::Message(message) => {
                let event = StreamResponse::Message(*message);
                return Ok(stream::iter([Ok((None, event))]).boxed());
            }
            Accepted::Task(scope, task) => (scope, task),
        };
        let turn = task.turns.len() - 1;
        let at = Position { turn, updates: 0, ended: false };
        let until = Until::Interruption;
        Ok(self.from(scope, &task, at, history, until).await?.boxed())
    }

    /// `SubscribeToTask`, from now on or after an event.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        caller: &Caller,
        request: SubscribeToTaskRequest,
        after: Option<Position>,
    ) -> Result<Events, Fault> {
        let (scope, _) = self.agent(caller)?;
        let task = self.task(&scope, &request.id).await?;
        let last = task.turns.len() - 1;
        if task.is_terminal() && after.is_none() {
            return Err(Fault::unsupported("the task has ended: read it with GetTask"));
        }
        let ended = task.turns[last].outcome.is_some();
        let at = after.filter(|at| at.turn < task.places());
        let at = match at {
            Some(at) => at,
            None if ended => Position { turn: last, updates: 0, ended },
            None => self.present(&task).await,
        };
        // Who knows that the task waits wants to hear how it goes on.
        let until = match at.turn >= last && at.ended {
            true => Until::End,
            false => Until::Interruption,
        };
        Ok(self.from(scope, &task, at, None, until).await?.boxed())
    }

    /// `GetTask`.
    pub(crate) async fn get(
        &self,
        caller: &Caller,
        request: GetTaskRequest,
    ) -> Result<Task, Fault> {
        let history = history_length(request.history_length)?;
        let (scope, _) = self.agent(caller)?;
        let task = self.task(&scope, &request.id).await?;
        self.shown(&task, history, true).await
    }

    /// `ListTasks`.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: ListTasksRequest,
    ) -> Result<ListTasksResponse, Fault> {
        let history = history_length(request.history_length)?;
        let (scope, _) = self.agent(caller)?;
        let size = request.page_size.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&size) {
            let why = format!("it must be between 1 and {LARGEST_PAGE}");
            return Err(Fault::invalid("pageSize", why));
        }
        let token = request.page_token.as_deref().filter(|token| !token.is_empty());
        let query = Query {
            context_id: request.context_id.filter(|id| !id.is_empty()),
            state: request.status.filter(|state| *state != TaskState::Unspecified),
            changed_since: request.status_timestamp_after,
            after: token.map(read_token).transpose()?,
            limit: usize::try_from(size).unwrap_or(1),
        };
        let page = self.index.list(&scope, &query).await.map_err(|error| broken(&error))?;
        let next = page.tasks.last().filter(|_| page.more).map(write_token);
        let artifacts = request.include_artifacts == Some(true);
        let mut tasks = Vec::with_capacity(page.tasks.len());
        for task in &page.tasks {
            tasks.push(self.shown(task, history, artifacts).await?);
        }
        Ok(ListTasksResponse {
            tasks,
            next_page_token: next.unwrap_or_default(),
            page_size: size,
            total_size: i32::try_from(page.total).unwrap_or(i32::MAX),
        })
    }

    /// `CancelTask`.
    pub(crate) async fn cancel_task(
        self: &Arc<Self>,
        caller: &Caller,
        request: CancelTaskRequest,
    ) -> Result<Task, Fault> {
        let (scope, _) = self.agent(caller)?;
        let task = self.cancel(&scope, &request.id).await?;
        self.shown(&task, None, true).await
    }

    /// `CreateTaskPushNotificationConfig`.
    pub(crate) async fn create_push(
        self: &Arc<Self>,
        caller: &Caller,
        config: TaskPushNotificationConfig,
    ) -> Result<TaskPushNotificationConfig, Fault> {
        let (scope, _) = self.agent(caller)?;
        self.check_push(&config)?;
        let task = self.task(&scope, &config.task_id).await?;
        self.add_push(&task, &config, caller.tenant.as_deref()).await
    }

    /// `GetTaskPushNotificationConfig`.
    pub(crate) async fn push_config(
        &self,
        caller: &Caller,
        request: GetTaskPushNotificationConfigRequest,
    ) -> Result<TaskPushNotificationConfig, Fault> {
        let (scope, _) = self.agent(caller)?;
        let tenant = caller.tenant.as_deref();
        let shown = self.shown_pushes(&scope, &request.task_id, tenant).await?;
        let found = shown.into_iter().find(|push| push.id.as_deref() == Some(&request.id));
        found.ok_or_else(|| {
            let shown: String = request.id.chars().take(64).collect();
            let message = format!("the task has no push configuration `{shown}`");
            Fault::new(FaultKind::TaskNotFound, message)
        })
    }

    /// `ListTaskPushNotificationConfigs`.
    pub(crate) async fn list_pushes(
        &self,
        caller: &Caller,
        request: ListTaskPushNotificationConfigsRequest,
    ) -> Result<Value, Fault> {
        let (scope, _) = self.agent(caller)?;
        let tenant = caller.tenant.as_deref();
        let configs = self.shown_pushes(&scope, &request.task_id, tenant).await?;
        // The type leaves out what is empty, and some callers miss it.
        Ok(json!({ "configs": configs, "nextPageToken": "" }))
    }

    /// `DeleteTaskPushNotificationConfig`. What is not there needs no deleting.
    pub(crate) async fn delete_push(
        &self,
        caller: &Caller,
        request: DeleteTaskPushNotificationConfigRequest,
    ) -> Result<(), Fault> {
        let (scope, _) = self.agent(caller)?;
        self.shown_pushes(&scope, &request.task_id, None).await?;
        let deleted = self.index.delete_push(&scope, &request.task_id, &request.id).await;
        deleted.map(|_| ()).map_err(|error| broken(&error))
    }

    /// Makes a task of a message, or a turn of one, and has it run.
    ///
    /// What is begun here is brought to its end even if the caller is gone by then: a task that is
    /// kept has to be run.
    async fn accept(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
    ) -> Result<Accepted, Fault> {
        let (engine, caller) = (Arc::clone(self), caller.clone());
        self.detached(async move { engine.accepted(&caller, request).await }).await
    }

    async fn accepted(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
    ) -> Result<Accepted, Fault> {
        let SendMessageRequest { message, configuration, metadata, .. } = request;
        let (scope, agent) = self.agent(caller)?;
        check(&message)?;
        agent.card.check_reads(&message)?;
        check_depth(&message)?;
        let modes = modes(configuration.as_ref());
        if !agent.card.writes(&modes) {
            let message = "the agent writes nothing of what `acceptedOutputModes` has";
            return Err(Fault::new(FaultKind::ContentTypeNotSupported, message));
        }
        let push = configuration.and_then(|one| one.task_push_notification_config);
        if let Some(push) = &push {
            self.check_push(push)?;
        }
        let given = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
        let task = match given(&message.task_id) {
            Some(id) => {
                if let Some(push) = &push {
                    self.check_room(&scope, &id, push).await?;
                }
                self.resume(&scope, &id, message, modes).await?
            }
            None => {
                let owner = &scope.owner;
                if let Reception::Message(answer) = agent.executor.receive(owner, &message).await? {
                    let context_id =
                        answer.context_id.clone().or_else(|| given(&message.context_id));
                    let context_id = context_id.unwrap_or_else(new_id);
                    let answer = Message { context_id: Some(context_id), ..answer };
                    return Ok(Accepted::Message(Box::new(answer)));
                }
                let context_id = match given(&message.context_id) {
                    Some(id) => id,
                    None => self.referenced(&scope, &message).await?.unwrap_or_else(new_id),
                };
                let mut task = TaskRecord::new(scope.clone(), context_id, message, modes);
                task.metadata = metadata.filter(|metadata| !metadata.is_empty());
                task.repeatable = self.repeats;
                match self.index.insert(&task).await.map_err(|error| broken(&error))? {
                    Inserted::New => task,
                    Inserted::Known(task) => {
                        if task.is_unfinished() {
                            self.start(scope.clone(), task.id.clone(), true);
                        }
                        return Ok(Accepted::Task(scope, task));
                    }
                }
            }
        };
        let pushed = match &push {
            Some(push) => self.add_push(&task, push, caller.tenant.as_deref()).await.map(drop),
            None => Ok(()),
        };
        // The task is there, whatever became of the notifications.
        self.start(scope.clone(), task.id.clone(), false);
        pushed?;
        Ok(Accepted::Task(scope, Box::new(task)))
    }

    /// Adds a turn to a task that waits for it.
    async fn resume(
        &self,
        scope: &Scope,
        id: &str,
        mut message: Message,
        modes: Vec<String>,
    ) -> Result<TaskRecord, Fault> {
        let task = self.task(scope, id).await?;
        if message
            .context_id
            .as_deref()
            .is_some_and(|one| !one.is_empty() && one != task.context_id)
        {
            let why = "the task is in another context; leave it out, or name that one";
            return Err(Fault::invalid("message.contextId", why));
        }
        let known = |task: &TaskRecord| {
            task.turns.iter().any(|turn| turn.message.message_id == message.message_id)
        };
        if known(&task) {
            return Ok(task);
        }
        message.task_id = Some(task.id.clone());
        message.context_id = Some(task.context_id.clone());
        let changed = self.change(scope, id, |task| {
            if !task.is_interrupted() || known(task) {
                return false;
            }
            task.turns.push(TurnRecord::new(message.clone(), modes.clone()));
            task.status = crate::task::StatusRecord::new(TaskState::Submitted, None);
            true
        });
        let task = changed.await.ok_or_else(|| Fault::task_not_found(id))?;
        if known(&task) {
            return Ok(task);
        }
        Err(Fault::unsupported(if task.is_terminal() {
            "the task has ended: begin another one in its context"
        } else {
            "the task is at work and takes no messages until it asks for them"
        }))
    }

    /// The conversation of the first task that a message refers to, if it is the caller's.
    async fn referenced(&self, scope: &Scope, message: &Message) -> Result<Option<String>, Fault> {
        let Some(id) = message.reference_task_ids.as_ref().and_then(|ids| ids.first()) else {
            return Ok(None);
        };
        let task = self.index.task(scope, id).await.map_err(|error| broken(&error))?;
        Ok(task.map(|task| task.context_id))
    }

    /// The task as it was at a place, then what it tells after it.
    async fn from(
        self: &Arc<Self>,
        scope: Scope,
        task: &TaskRecord,
        at: Position,
        history: Option<usize>,
        until: Until,
    ) -> Result<Events, Fault> {
        let mut past = task.clone();
        let place = at.turn.min(past.turns.len() - 1);
        past.turns.truncate(place + 1);
        let turn = &mut past.turns[place];
        match (&turn.outcome, at.ended) {
            // Behind the last turn there is only the end of the task itself.
            _ if at.turn > place => {}
            (Some(outcome), true) => past.status = outcome.clone(),
            _ => {
                let state = match turn.handles.is_empty() {
                    true => TaskState::Submitted,
                    false => TaskState::Working,
                };
                past.status.state = state;
                past.status.message = None;
                past.status.metadata = None;
                turn.outcome = None;
            }
        }
        let mut shown = self.wire(&past, history);
        let artifacts = self.artifacts_until(task, at).await?;
        shown.artifacts = (!artifacts.is_empty()).then_some(artifacts);
        let first = StreamResponse::Task(shown);
        let feed = self.feed(scope, task.id.clone(), at, until);
        let rest = stream::unfold(feed, |mut feed| async move {
            let told = feed.recv().await?;
            Some((told.map(|Told { position, event }| (Some(position), event)), feed))
        });
        Ok(stream::iter([Ok((Some(at), first))]).chain(rest).boxed())
    }

    /// A task as it is.
    pub(super) async fn shown(
        &self,
        task: &TaskRecord,
        history: Option<usize>,
        artifacts: bool,
    ) -> Result<Task, Fault> {
        let mut shown = self.wire(task, history);
        if artifacts {
            let at = Position { turn: task.turns.len(), updates: 0, ended: false };
            let artifacts = self.artifacts_until(task, at).await?;
            shown.artifacts = (!artifacts.is_empty()).then_some(artifacts);
        }
        Ok(shown)
    }

    fn wire(&self, task: &TaskRecord, history: Option<usize>) -> Task {
        let mut messages: Vec<Message> = Vec::new();
        for (index, turn) in task.turns.iter().enumerate() {
            messages.push(turn.message.clone());
            // The last one is the status itself.
            let said = turn.outcome.as_ref().and_then(|outcome| outcome.message.clone());
            messages.extend(said.filter(|_| index + 1 < task.places()));
        }
        if let Some(length) = history {
            messages.drain(..messages.len().saturating_sub(length));
        }
        let mut metadata = task.metadata.clone().unwrap_or_default();
        metadata.extend(task.status.metadata.clone().unwrap_or_default());
        Task {
            id: task.id.clone(),
            context_id: task.context_id.clone(),
            status: task.status.to_wire(),
            artifacts: None,
            history: (!messages.is_empty()).then_some(messages),
            metadata: (!metadata.is_empty()).then_some(metadata),
        }
    }

    /// The artifacts that a task had at a place.
    async fn artifacts_until(
        &self,
        task: &TaskRecord,
        at: Position,
    ) -> Result<Vec<Artifact>, Fault> {
        let mut artifacts = Vec::new();
        let Some(agent) = self.agents.get(&task.scope.agent) else { return Ok(artifacts) };
        for turn in 0..task.turns.len().min(at.turn + 1) {
            let is_open = turn == at.turn && !at.ended;
            let mut left = at.updates;
            for work in task.works(turn) {
                let updates = if is_open {
                    // No more than was heard.
                    let heard = agent.executor.follow(&work, 0).take(left).collect::<Vec<_>>();
                    if left == 0 { Ok(Vec::new()) } else { heard.await.into_iter().collect() }
                } else {
                    agent.executor.look(&work).await
                };
                match updates {
                    Ok(updates) => {
                        // Where work was cut is no event.
                        let heard = updates.iter().filter(|one| **one != Update::Cut).count();
                        left = left.saturating_sub(heard);
                        reduce(&mut artifacts, updates);
                    }
                    // It was kept for as long as the endpoint keeps things.
                    Err(Lost::Gone(_)) => {}
                    Err(Lost::Unreachable(why)) => {
                        tracing::warn!(task = %task.id, why, "artifacts are out of reach");
                        return Err(Fault::internal("the agent cannot be reached at the moment"));
                    }
                }
            }
        }
        Ok(artifacts)
    }
}

enum Accepted {
    Message(Box<Message>),
    Task(Scope, Box<TaskRecord>),
}

fn modes(configuration: Option<&SendMessageConfiguration>) -> Vec<String> {
    configuration.and_then(|one| one.accepted_output_modes.clone()).unwrap_or_default()
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn write_token(last: &TaskRecord) -> String {
    let place = format!("{}:{}", last.status.timestamp.timestamp_millis(), last.id);
    URL_SAFE_NO_PAD.encode(place)
}

fn read_token(token: &str) -> Result<(Timestamp, String), Fault> {
    let read = || {
        let place = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (millis, id) = place.split_once(':')?;
        Some((Timestamp::from_timestamp_millis(millis.parse().ok()?)?, id.to_owned()))
    };
    read().ok_or_else(|| Fault::invalid("pageToken", "it is none that a list has given"))
}

/// Agents that call each other in a circle are stopped somewhere.
fn check_depth(message: &Message) -> Result<(), Fault> {
    match depth(message) {
        Some(depth) if depth > DEEPEST => Err(Fault::unsupported(format!(
            "agents have called agents {depth} times on the way here, more than {DEEPEST}"
        ))),
        _ => Ok(()),
    }
}
