//! What happens to tasks: they are begun, followed to their end, settled, and cancelled.
//!
//! For every task that is not finished there is one runner in this process, whoever listens. It
//! keeps nothing in memory that the index and the executor could not tell the next one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agent::HostedAgent;
use super::push::Pushes;
use super::turn::{Ending, refusal, turn, word};
use super::wakes::Wakes;
use crate::executor::{Begun, Lost, Turn, Work};
use crate::fault::{Fault, FaultKind};
use crate::index::{Claim, Index, IndexError};
use crate::task::{Scope, StatusRecord, TaskRecord};
use crate::wire::{Part, TaskState};

/// How often work is begun that the agent cannot take at the moment.
const TRIES: u32 = 5;
/// How long an agent may be out of reach before its tasks are given up.
const OUT_OF_REACH: Duration = Duration::from_secs(15 * 60);
/// The longest wait between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a cancelled task is waited for.
const CANCEL_WAIT: Duration = Duration::from_secs(10);

/// The host without its face.
pub(crate) struct Engine {
    pub(super) index: Arc<dyn Index>,
    pub(super) agents: BTreeMap<String, Arc<HostedAgent>>,
    /// The route to the agent that is meant when none is named.
    pub(super) default: String,
    pub(super) wakes: Wakes,
    pub(super) pushes: Pushes,
    /// Whether a message id may begin several tasks.
    pub(super) repeats: bool,
    /// The tasks with a runner, and whether it is to look again when it is through.
    running: Mutex<HashMap<String, bool>>,
    pub(crate) closing: CancellationToken,
    pub(super) tracker: TaskTracker,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Engine {
    pub(crate) fn new(
        index: Arc<dyn Index>,
        agents: BTreeMap<String, Arc<HostedAgent>>,
        default: String,
        pushes: Pushes,
        repeats: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            index,
            agents,
            default,
            wakes: Wakes::default(),
            pushes,
            repeats,
            running: Mutex::default(),
            closing: CancellationToken::new(),
            tracker: TaskTracker::new(),
        })
    }

    pub(super) fn default_agent(&self) -> &str {
        &self.default
    }

    pub(super) fn routes(&self) -> impl Iterator<Item = (&str, &HostedAgent)> {
        self.agents.iter().map(|(route, agent)| (route.as_str(), agent.as_ref()))
    }

    pub(super) fn offers_push(&self) -> bool {
        self.pushes.offered()
    }

    /// Takes up what an earlier process has left unfinished.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<(), IndexError> {
        for task in self.index.unfinished().await? {
            tracing::info!(task = %task.id, "taking up an unfinished task");
            self.start(task.scope, task.id, true);
        }
        for push in self.index.unserved_pushes().await? {
            self.push(push);
        }
        Ok(())
    }

    /// Stops: tasks stay as they are for the next process.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.index.close().await;
    }

    /// Sees to it that a task is run. `again` says that another process may have begun its turn.
    pub(crate) fn start(self: &Arc<Self>, scope: Scope, id: String, again: bool) {
        {
            let mut runners = self.runners();
            if let Some(look_again) = runners.get_mut(&id) {
                *look_again = true;
                return;
            }
            runners.insert(id.clone(), false);
        }
        let engine = Arc::clone(self);
        self.tracker.spawn(async move {
            let mut again = again;
            loop {
                let run = AssertUnwindSafe(engine.run(&scope, &id, again)).catch_unwind();
                tokio::select! {
                    () = engine.closing.cancelled() => return,
                    run = run => if run.is_err() {
                        engine.panicked(&scope, &id).await;
                    }
                }
                again = false;
                let mut runners = engine.runners();
                // What happened while the last look was ending is looked at once more.
                if runners.remove(&id) != Some(true) {
                    return;
                }
                runners.insert(id.clone(), false);
            }
        });
    }

    /// Ends a task whose executor has panicked; nobody else would.
    async fn panicked(&self, scope: &Scope, id: &str) {
        tracing::error!(task = id, "an executor has panicked");
        if let Ok(task) = self.task(scope, id).await {
            self.fail(&task, "The agent failed.").await;
        }
    }

    fn runners(&self) -> std::sync::MutexGuard<'_, HashMap<String, bool>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task's last turn to its end, when it is its turn in the conversation.
    async fn run(self: &Arc<Self>, scope: &Scope, id: &str, again: bool) {
        let (task, head) = match self.claimed(scope, id).await {
            Claim::Yes { task, head } => (*task, head),
            Claim::Wait => return,
            Claim::No => {
                // It was stopped before its turn came, for which others may wait.
                if let Ok(task) = self.task(scope, id).await {
                    self.start_next(scope, &task.context_id).await;
                }
                return;
            }
        };
        let context_id = task.context_id.clone();
        self.wakes.wake(id);
        self.push_for(scope, id).await;
        match self.agents.get(&scope.agent).cloned() {
            Some(agent) => self.work(&agent, task, head, again).await,
            None => {
                self.fail(&task, "The agent is not hosted here any more.").await;
            }
        }
        self.wakes.wake(id);
        self.start_next(scope, &context_id).await;
    }

    /// Whoever waits longest in a conversation is next.
    async fn start_next(self: &Arc<Self>, scope: &Scope, context_id: &str) {
        match self.index.waiting(scope, context_id).await {
            Ok(waiting) => {
                if let Some(next) = waiting.into_iter().next() {
                    self.start(scope.clone(), next, false);
                }
            }
            Err(error) => tracing::error!(%error, "who is next in a conversation is not known"),
        }
    }

    async fn claimed(&self, scope: &Scope, id: &str) -> Claim {
        let mut pause = Pause::new();
        loop {
            match self.index.claim(scope, id).await {
                Ok(claim) => return claim,
                Err(error) => tracing::error!(%error, task = id, "a task cannot be claimed"),
            }
            pause.wait().await;
        }
    }

    /// Begins what is not begun and follows it to the end of the turn.
    async fn work(
        &self,
        agent: &HostedAgent,
        mut task: TaskRecord,
        head: Option<String>,
        mut again: bool,
    ) {
        let place = task.turns.len() - 1;
        let mut continues = false;
        if task.cancelling {
            // Whoever was to be told of it may not have been.
            self.stop_work(agent, &task).await;
        }
        loop {
            if task.turns[place].outcome.is_some() {
                return;
            }
            if continues || task.turns[place].handles.is_empty() {
                if task.cancelling {
                    self.settle(&task, StatusRecord::new(TaskState::Canceled, None)).await;
                    return;
                }
                let turn = turn(&task, head.as_deref(), continues, again);
                match self.begin(agent, &task, turn).await {
                    Some(begun) => task = begun,
                    None => return,
                }
                again = false;
            }
            let Some(work) = task.works(place).pop() else { return };
            match self.follow(agent, &work).await {
                Ending::Cut => continues = true,
                Ending::Status(status) => {
                    self.settle(&task, *status).await;
                    return;
                }
                Ending::Lost(why) => {
                    self.fail(&task, why).await;
                    return;
                }
            }
        }
    }

    /// Begins work and keeps its handle; `None` when the turn has ended instead.
    async fn begin(
        &self,
        agent: &HostedAgent,
        task: &TaskRecord,
        mut turn: Turn,
    ) -> Option<TaskRecord> {
        let mut pause = Pause::new();
        let mut tries = 1;
        loop {
            let fault = match agent.executor.begin(&turn).await {
                Ok(Begun::Work(handle)) => return self.keep(agent, task, handle).await,
                Ok(Begun::Asks(question)) => {
                    let asks = StatusRecord::new(TaskState::InputRequired, Some(*question));
                    self.settle(task, asks).await;
                    return None;
                }
                Err(fault) => fault,
            };
            if fault.kind() == FaultKind::Internal && tries < TRIES {
                tries += 1;
                // It may have come to the agent, and only the answer been lost.
                turn.again = true;
                pause.wait().await;
                continue;
            }
            self.settle(task, refusal(task, &turn, &fault)).await;
            return None;
        }
    }

    /// Notes a handle. Somebody may have asked to stop the task meanwhile; then it is stopped. So
    /// is the work if another process was faster, whose work then counts.
    async fn keep(
        &self,
        agent: &HostedAgent,
        task: &TaskRecord,
        handle: String,
    ) -> Option<TaskRecord> {
        let place = task.turns.len() - 1;
        let before = task.turns[place].handles.len();
        let kept = self
            .change(&task.scope, &task.id, |task| {
                let handles = &mut task.turns[place].handles;
                let is_first = handles.len() == before;
                if is_first {
                    handles.push(handle.clone());
                }
                is_first
            })
            .await?;
        self.wakes.wake(&kept.id);
        if !kept.turns[place].handles.contains(&handle) {
            let mut stray = kept.clone();
            stray.turns[place].handles.push(handle);
            self.stop_work(agent, &stray).await;
        }
        if kept.cancelling {
            self.stop_work(agent, &kept).await;
        }
        Some(kept)
    }

    /// Stops the last work of a task, if it has any.
    async fn stop_work(&self, agent: &HostedAgent, task: &TaskRecord) {
        let last = task.works(task.turns.len() - 1).pop();
        if let Some(work) = last
            && let Err(fault) = agent.executor.cancel(&work).await
        {
            tracing::warn!(%fault, task = %task.id, "work that was to be stopped goes on");
        }
    }

    async fn follow(&self, agent: &HostedAgent, work: &Work) -> Ending {
        let mut heard = 0;
        let mut pause = Pause::new();
        let mut lost_since = None;
        loop {
            let mut updates = agent.executor.follow(work, heard);
            let lost = loop {
                match updates.next().await {
                    Some(Ok(update)) => {
                        if let Some(ending) = Ending::of(update) {
                            return ending;
                        }
                        heard += 1;
                        lost_since = None;
                        pause = Pause::new();
                    }
                    Some(Err(lost)) => break lost,
                    None => break Lost::Unreachable("its updates end without an end".to_owned()),
                }
            };
            match lost {
                Lost::Gone(why) => {
                    tracing::error!(task = %work.task_id, why, "the work of a task is gone");
                    return Ending::Lost("The work on this task is not there any more.");
                }
                Lost::Unreachable(why) => {
                    tracing::warn!(task = %work.task_id, why, "the work of a task is out of reach");
                    // A stream that breaks off says nothing about the work itself.
                    match agent.executor.look(work).await {
                        Ok(mut told) => {
                            lost_since = None;
                            if let Some(ending) = told.pop().and_then(Ending::of) {
                                return ending;
                            }
                        }
                        Err(Lost::Gone(why)) => {
                            tracing::error!(task = %work.task_id, why, "the work of a task is gone");
                            return Ending::Lost("The work on this task is not there any more.");
                        }
                        Err(Lost::Unreachable(_)) => {
                            let since = *lost_since.get_or_insert_with(tokio::time::Instant::now);
                            if since.elapsed() > OUT_OF_REACH {
                                return Ending::Lost("The agent was out of reach for too long.");
                            }
                        }
                    }
                }
            }
            pause.wait().await;
        }
    }

    async fn fail(&self, task: &TaskRecord, why: &str) {
        let message = word(task, vec![Part::text(why)]);
        self.settle(task, StatusRecord::new(TaskState::Failed, Some(message))).await;
    }

    /// Ends the turn, unless it has ended: of two ends the first one stays.
    pub(super) async fn settle(&self, task: &TaskRecord, status: StatusRecord) {
        let place = task.turns.len() - 1;
        let settled = self
            .change(&task.scope, &task.id, |task| {
                let turn = &mut task.turns[place];
                if turn.outcome.is_some() || task.status.state.is_terminal() {
                    return false;
                }
                // Nobody is to answer a question of a task that was to be stopped.
                let status = match task.cancelling && crate::wire::is_interrupted(&status.state) {
                    true => StatusRecord::new(TaskState::Canceled, None),
                    false => status.clone(),
                };
                turn.outcome = Some(status.clone());
                task.status = status;
                task.cancelling = false;
                true
            })
            .await;
        if settled.is_some() {
            tracing::info!(task = %task.id, state = ?status.state, "a turn has ended");
        }
        self.wakes.wake(&task.id);
    }

    /// Changes a stored task, however often others are faster; `None` when it is not there.
    pub(super) async fn change(
        &self,
        scope: &Scope,
        id: &str,
        change: impl Fn(&mut TaskRecord) -> bool,
    ) -> Option<TaskRecord> {
        let mut pause = Pause::new();
        loop {
            let tried = async {
                let Some(mut task) = self.index.task(scope, id).await? else { return Ok(None) };
                if !change(&mut task) {
                    return Ok(Some(Some(task)));
                }
                let changed = self.index.update(&task).await?;
                task.version += 1;
                Ok::<_, IndexError>(Some(changed.then_some(task)))
            };
            match tried.await {
                Ok(None) => return None,
                Ok(Some(Some(task))) => return Some(task),
                // Somebody else was faster.
                Ok(Some(None)) => continue,
                Err(error) => tracing::error!(%error, task = id, "a task cannot be changed"),
            }
            pause.wait().await;
        }
    }

    /// Stops a task, whatever it is at, and whether or not the caller waits for it.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        scope: &Scope,
        id: &str,
    ) -> Result<TaskRecord, Fault> {
        let (engine, scope, id) = (Arc::clone(self), scope.clone(), id.to_owned());
        self.detached(async move { engine.cancelled(&scope, &id).await }).await
    }

    async fn cancelled(self: &Arc<Self>, scope: &Scope, id: &str) -> Result<TaskRecord, Fault> {
        let task = self.task(scope, id).await?;
        if task.status.state == TaskState::Canceled {
            return Ok(task);
        }
        if task.is_terminal() {
            let message = "the task has ended, so it cannot be cancelled";
            return Err(Fault::new(FaultKind::TaskNotCancelable, message));
        }
        let changed = self
            .change(scope, id, |task| {
                if task.is_terminal() {
                    return false;
                }
                let at_work = task.status.state == TaskState::Working;
                if at_work {
                    task.cancelling = true;
                } else {
                    let canceled = StatusRecord::new(TaskState::Canceled, None);
                    // A turn that has ended keeps its end: who has heard that is to hear this too.
                    if let Some(turn) = task.turns.last_mut() {
                        turn.outcome.get_or_insert_with(|| canceled.clone());
                    }
                    task.status = canceled;
                }
                true
            })
            .await
            .ok_or_else(|| Fault::task_not_found(id))?;
        self.wakes.wake(id);
        if changed.is_terminal() {
            self.push_for(scope, id).await;
            self.start_next(scope, &changed.context_id).await;
            return Ok(changed);
        }
        let place = changed.turns.len() - 1;
        if let (Some(agent), Some(work)) =
            (self.agents.get(&scope.agent), changed.works(place).pop())
        {
            agent.executor.cancel(&work).await?;
        }
        let settled = self.wait(scope, id, TaskRecord::is_terminal);
        match tokio::time::timeout(CANCEL_WAIT, settled).await {
            Ok(task) => task,
            Err(_) => self.task(scope, id).await,
        }
    }

    /// The task, if it is this caller's.
    pub(crate) async fn task(&self, scope: &Scope, id: &str) -> Result<TaskRecord, Fault> {
        let task = self.index.task(scope, id).await.map_err(|error| broken(&error))?;
        task.ok_or_else(|| Fault::task_not_found(id))
    }

    /// Does something to its end, even when the caller goes away in the middle of it.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let done = self.tracker.spawn(work).await;
        done.unwrap_or_else(|_| Err(Fault::internal("the host could not do this")))
    }

    /// Waits until a task is as wanted, or the host stops; then the task is as it is.
    pub(crate) async fn wait(
        &self,
        scope: &Scope,
        id: &str,
        wanted: impl Fn(&TaskRecord) -> bool,
    ) -> Result<TaskRecord, Fault> {
        let mut waking = self.wakes.listen(id);
        loop {
            let task = self.task(scope, id).await?;
            if wanted(&task) || self.closing.is_cancelled() {
                return Ok(task);
            }
            tokio::select! {
                () = waking.changed() => {}
                () = self.closing.cancelled() => {}
            }
        }
    }
}

/// The index does not work; the caller is not told how.
pub(super) fn broken(error: &IndexError) -> Fault {
    tracing::error!(%error, "the index of tasks does not work");
    Fault::internal("the host cannot reach its tasks at the moment")
}

/// Waits that grow.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(250))
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}
