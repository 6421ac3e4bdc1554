//! One message to a remote agent, until its task ends or waits for somebody.

use std::time::Duration;

use interactions_agent::ToolContext;
use serde::Serialize;

use super::error::{RemoteError, RemoteErrorKind, bounded};
use super::output;
use super::peer::{Events, Peer};
use crate::fault::FaultKind;
use crate::wire::{
    Artifact, Message, SendMessageConfiguration, SendMessageRequest, SendMessageResponse,
    StreamResponse, Task, TaskArtifactUpdateEvent, TaskState, TaskStatus, is_interrupted,
    is_terminal,
};

/// How often a stream that breaks is taken up again before the task is asked for instead.
const STREAMS: u32 = 3;
/// How often in a row a task may not be readable.
const READS: u32 = 5;
const SOON: Duration = Duration::from_millis(500);
const LATER: Duration = Duration::from_secs(5);
/// How long it may take to call a task off.
const CANCEL: Duration = Duration::from_secs(15);
/// What one call may bring, in bytes of events.
const SIZE: usize = 64 * 1024 * 1024;

/// What came of a message.
#[derive(Debug)]
pub(super) enum Ended {
    /// The agent has answered, and there is no task.
    Message(Message),
    /// A task that has ended, or waits for somebody.
    Task(Box<Task>),
}

/// What whoever reads the run is told about a remote agent at work.
#[derive(Debug, Serialize)]
struct Progress<'a> {
    agent: &'a str,
    task: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a TaskState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// A task that is followed. Dropped before its end, it is called off.
pub(super) struct Follow<'a> {
    peer: &'a Peer,
    agent: &'a str,
    context: &'a ToolContext,
    task: Task,
    /// Events may have been missed.
    cut: bool,
    size: usize,
    armed: bool,
    /// How the task waited before it was answered, and how often it may still be shown like that.
    answered: Option<(TaskStatus, u32)>,
}

enum Next {
    More,
    Over,
    Message(Message),
}

impl<'a> Follow<'a> {
    pub(super) fn new(peer: &'a Peer, agent: &'a str, context: &'a ToolContext) -> Self {
        let status = TaskStatus { state: TaskState::Unspecified, message: None, timestamp: None };
        let task = Task {
            id: String::new(),
            context_id: String::new(),
            status,
            artifacts: None,
            history: None,
            metadata: None,
        };
        Self { peer, agent, context, task, cut: false, size: 0, armed: true, answered: None }
    }

    /// What is sent answers a task that waits like this.
    pub(super) fn answering(mut self, status: TaskStatus) -> Self {
        self.answered = Some((status, READS));
        self
    }

    /// Sends a message and follows what comes of it.
    pub(super) async fn send(
        mut self,
        mut request: SendMessageRequest,
        stream: bool,
    ) -> Result<Ended, RemoteError> {
        let resumed = request.message.task_id.is_some();
        if let Some(id) = &request.message.task_id {
            self.task.id.clone_from(id);
        }
        if stream {
            let events = match self.peer.stream(request.clone()).await {
                Err(error) if !is_unsupported(&error) => return Err(error),
                events => events.ok(),
            };
            if let Some(events) = events {
                if let Some(message) = self.read(events, resumed).await? {
                    return Ok(Ended::Message(message));
                }
                return self.rest().await;
            }
        }
        request.configuration = request.configuration.map(|configuration| {
            SendMessageConfiguration { return_immediately: Some(true), ..configuration }
        });
        let event = match self.peer.send(request).await? {
            SendMessageResponse::Message(message) => StreamResponse::Message(message),
            SendMessageResponse::Task(task) => StreamResponse::Task(task),
        };
        match self.take(event).await? {
            Next::Message(message) => {
                self.armed = false;
                Ok(Ended::Message(message))
            }
            Next::Over => self.over(),
            Next::More => self.poll().await,
        }
    }

    /// Follows a task that is at work already.
    pub(super) async fn resume(mut self, task: Task) -> Result<Ended, RemoteError> {
        match self.take(StreamResponse::Task(task)).await? {
            Next::Over => self.over(),
            _ => {
                self.cut = true;
                self.rest().await
            }
        }
    }

    /// Goes on after a stream, until the task is over.
    async fn rest(mut self) -> Result<Ended, RemoteError> {
        let mut tries = 0;
        while !self.is_over() {
            if self.task.id.is_empty() {
                let why = "the connection broke before the agent had named its task";
                return Err(RemoteError::new(RemoteErrorKind::Transport, why));
            }
            self.cut = true;
            tries += 1;
            if tries > STREAMS {
                return self.poll().await;
            }
            tokio::time::sleep(SOON * (tries - 1)).await;
            match self.peer.subscribe(&self.task.id).await {
                Ok(events) => {
                    let before = self.size;
                    if let Some(message) = self.read(events, false).await? {
                        return Ok(Ended::Message(message));
                    }
                    if self.size > before {
                        tries = 1;
                    }
                }
                Err(error) if error.is_cut() => {}
                // Whatever stands against a stream may not stand against a question.
                Err(_) => return self.poll().await,
            }
        }
        if self.cut && is_terminal(&self.task.status.state) {
            self.task = self.peer.task(&self.task.id).await?;
        }
        self.over()
    }

    /// Asks for the task now and then.
    async fn poll(mut self) -> Result<Ended, RemoteError> {
        let (mut wait, mut failures) = (SOON, 0);
        loop {
            tokio::time::sleep(wait).await;
            wait = (wait * 3 / 2).min(LATER);
            match self.peer.task(&self.task.id).await {
                Ok(task) => {
                    failures = 0;
                    if matches!(self.take(StreamResponse::Task(task)).await?, Next::Over) {
                        return self.over();
                    }
                }
                Err(error) if error.is_cut() && failures < READS => failures += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn over(mut self) -> Result<Ended, RemoteError> {
        self.armed = false;
        Ok(Ended::Task(Box::new(self.task.clone())))
    }

    fn is_over(&self) -> bool {
        let stale = self.answered.as_ref();
        let stale = stale.is_some_and(|(before, left)| *left > 0 && *before == self.task.status);
        !stale && (is_terminal(&self.task.status.state) || is_interrupted(&self.task.status.state))
    }

    /// Reads a stream to its end, to the task's end, or to where it breaks.
    async fn read(
        &mut self,
        mut events: Events,
        resumed: bool,
    ) -> Result<Option<Message>, RemoteError> {
        let mut first = true;
        loop {
            let (event, size) = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(None),
                Err(error) if error.is_cut() && !self.task.id.is_empty() => {
                    tracing::debug!(%error, task = self.task.id, "the stream of a remote task broke");
                    // What it waited for may be over.
                    self.task.status.state = TaskState::Unspecified;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            self.size += size.max(1);
            if self.size > SIZE {
                let why = format!("the agent's task told more than {SIZE} bytes");
                return Err(RemoteError::new(RemoteErrorKind::TooLarge, why));
            }
            // Some show the task first as it was before the answer.
            let stale = resumed && first && matches!(event, StreamResponse::Task(_));
            first = false;
            match self.take(event).await? {
                Next::Message(message) => {
                    self.armed = false;
                    return Ok(Some(message));
                }
                Next::Over if stale && is_interrupted(&self.task.status.state) => {}
                Next::Over => return Ok(None),
                Next::More => {}
            }
        }
    }

    async fn take(&mut self, event: StreamResponse) -> Result<Next, RemoteError> {
        match event {
            StreamResponse::Message(message) => return Ok(Next::Message(message)),
            StreamResponse::Task(task) => {
                self.is_ours(&task.id)?;
                let changed = self.task.status != task.status;
                self.task = task;
                if changed {
                    self.tell_status().await;
                }
            }
            StreamResponse::StatusUpdate(update) => {
                self.is_ours(&update.task_id)?;
                if self.task.id.is_empty() {
                    self.task.id = update.task_id;
                }
                if self.task.context_id.is_empty() {
                    self.task.context_id = update.context_id;
                }
                self.task.status = update.status;
                self.tell_status().await;
            }
            StreamResponse::ArtifactUpdate(update) => {
                self.is_ours(&update.task_id)?;
                if self.task.id.is_empty() {
                    self.task.id.clone_from(&update.task_id);
                }
                let text = output::plain(&update.artifact.parts);
                self.tell(None, Some(text).filter(|text| !text.is_empty())).await;
                self.add(update);
            }
        }
        if let Some((before, left)) = self.answered.as_mut().filter(|(_, left)| *left > 0)
            && *before == self.task.status
        {
            // The agent has not read the answer yet.
            *left -= 1;
            return Ok(Next::More);
        }
        Ok(if self.is_over() { Next::Over } else { Next::More })
    }

    fn is_ours(&self, id: &str) -> Result<(), RemoteError> {
        if self.task.id.is_empty() || id.is_empty() || self.task.id == id {
            return Ok(());
        }
        let id = bounded(id, 60);
        Err(RemoteError::decode(format!(
            "the agent told of another task than the one it was given: `{id}`"
        )))
    }

    fn add(&mut self, update: TaskArtifactUpdateEvent) {
        let artifacts = self.task.artifacts.get_or_insert_default();
        let same = |known: &&mut Artifact| known.artifact_id == update.artifact.artifact_id;
        match artifacts.iter_mut().find(same) {
            Some(known) if update.append == Some(true) => known.parts.extend(update.artifact.parts),
            Some(known) => *known = update.artifact,
            None => artifacts.push(update.artifact),
        }
    }

    async fn tell_status(&self) {
        let status = &self.task.status;
        let text = status.message.as_ref().map(|message| output::plain(&message.parts));
        self.tell(Some(&status.state), text.filter(|text| !text.is_empty())).await;
    }

    async fn tell(&self, state: Option<&TaskState>, text: Option<String>) {
        let progress = Progress { agent: self.agent, task: &self.task.id, state, text };
        self.context.progress(progress).await;
    }
}

impl Drop for Follow<'_> {
    fn drop(&mut self) {
        let id = std::mem::take(&mut self.task.id);
        if !self.armed || id.is_empty() || is_terminal(&self.task.status.state) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let peer = self.peer.clone();
        runtime.spawn(async move {
            match tokio::time::timeout(CANCEL, peer.cancel(&id)).await {
                Ok(Ok(())) => tracing::debug!(task = id, "a remote task was called off"),
                Ok(Err(error)) => tracing::info!(task = id, %error, "a remote task goes on"),
                Err(_) => {
                    tracing::info!(task = id, "a remote task could not be called off in time");
                }
            }
        });
    }
}

/// Whether the agent does not stream, whatever its card says.
fn is_unsupported(error: &RemoteError) -> bool {
    matches!(
        error.kind(),
        RemoteErrorKind::Fault(FaultKind::UnsupportedOperation | FaultKind::MethodNotFound)
            | RemoteErrorKind::Http(404 | 405 | 501)
    )
}
