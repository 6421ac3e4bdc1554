//! An executor for work that lives and dies with its process: its updates are kept in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::{Begun, Executor, Lost, Reception, Turn, Update, Work};
use crate::fault::{Fault, FaultKind};
use crate::wire::{Artifact, Message, Part, Role, TaskState};

/// How many works are remembered that have ended, unless it is said otherwise.
const REMEMBERED: usize = 10_000;

/// An agent that simply works: a message comes in, updates go out.
///
/// [`Logged`] makes an [`Executor`] of it.
///
/// ```
/// use async_trait::async_trait;
/// use interactions_a2a::executor::{Logged, Teller, Turn, Worker};
/// use interactions_a2a::{A2aHost, Card, Fault, HostedAgent};
///
/// struct Shouter;
///
/// #[async_trait]
/// impl Worker for Shouter {
///     async fn work(&self, turn: Turn, teller: Teller) -> Result<(), Fault> {
///         let said = turn.text().to_uppercase();
///         teller.artifact("answer", vec![interactions_a2a::wire::Part::text(said)]);
///         Ok(())
///     }
/// }
///
/// let shouter = HostedAgent::new(Card::new("Shouter", "Shouts."), Logged::new(Shouter));
/// let host = A2aHost::with_agent("shouter", shouter);
/// # let _ = host;
/// ```
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Looks at a message before there is a task for it; see [`Executor::receive`].
    ///
    /// # Errors
    /// A [`Fault`] refuses the message; no task is made.
    async fn receive(&self, _caller: &str, _message: &Message) -> Result<Reception, Fault> {
        Ok(Reception::Task)
    }

    /// Does the work of one turn.
    ///
    /// When it returns without having told an end, the task is `COMPLETED`. What is told after an
    /// end is not heard.
    ///
    /// # Errors
    /// A [`Fault`] ends the task: as `REJECTED` when it is the message's doing, else as `FAILED`.
    ///
    /// # Cancellation
    /// The future is dropped when the task is cancelled.
    async fn work(&self, turn: Turn, teller: Teller) -> Result<(), Fault>;
}

/// Where a [`Worker`] tells what it does. Clones tell of the same work.
#[derive(Clone, Debug)]
pub struct Teller {
    log: Arc<Log>,
    task_id: String,
    context_id: String,
    number: usize,
}

impl Teller {
    /// Tells an update.
    pub fn tell(&self, update: Update) {
        self.log.push(update);
    }

    /// Tells a whole artifact, in place of an earlier one of its id. One without parts is not told.
    pub fn artifact(&self, id: impl Into<String>, parts: Vec<Part>) {
        self.piece(id, parts, false, true);
    }

    /// Tells a piece of an artifact: whether it follows those before, and whether it is the last.
    pub fn piece(&self, id: impl Into<String>, parts: Vec<Part>, append: bool, last: bool) {
        if parts.is_empty() {
            return;
        }
        let artifact = Artifact {
            artifact_id: id.into(),
            name: None,
            description: None,
            parts,
            metadata: None,
            extensions: None,
        };
        self.tell(Update::Artifact { artifact, append, last });
    }

    /// Tells the task's state, with a word about it.
    pub fn status(&self, state: TaskState, words: Vec<Part>) {
        let message = (!words.is_empty()).then(|| Message {
            message_id: format!("{}-{}-{}", self.task_id, self.number + 1, self.log.len() + 1),
            context_id: Some(self.context_id.clone()),
            task_id: Some(self.task_id.clone()),
            ..Message::new(Role::Agent, words)
        });
        self.tell(Update::Status { state, message, metadata: None });
    }
}

/// Makes an [`Executor`] of a [`Worker`], with a log of its updates in memory.
///
/// Tasks that are at work when the process ends fail in the next one: nobody knows how far they
/// were. An agent whose tasks have to survive implements [`Executor`] itself.
pub struct Logged<W> {
    worker: Arc<W>,
    logs: Arc<Mutex<Logs>>,
    remembered: usize,
}

/// The logs by their handles, and those that may be forgotten, the oldest first.
#[derive(Default)]
struct Logs {
    kept: HashMap<String, Arc<Log>>,
    begun: VecDeque<String>,
}

/// What one work has told.
struct Log {
    updates: Mutex<Vec<Update>>,
    /// How many there are, for those who wait for more.
    count: watch::Sender<usize>,
    /// Whether it is to stop.
    stopping: watch::Sender<bool>,
}

impl<W: Worker> Logged<W> {
    /// This worker does the work.
    pub fn new(worker: W) -> Self {
        Self { worker: Arc::new(worker), logs: Arc::default(), remembered: REMEMBERED }
    }

    /// How many works are remembered; 10,000 by default. Of older ones that have ended, artifacts
    /// are not told any more.
    #[must_use]
    pub fn remember(mut self, works: usize) -> Self {
        self.remembered = works.max(1);
        self
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, work: &Work) -> Result<Arc<Log>, Lost> {
        let log = self.logs().kept.get(&work.handle).cloned();
        log.ok_or_else(|| Lost::Gone("it was done in a process that has ended".to_owned()))
    }

    fn keep(&self, handle: &str, log: &Arc<Log>) {
        let mut logs = self.logs();
        logs.kept.insert(handle.to_owned(), Arc::clone(log));
        logs.begun.push_back(handle.to_owned());
        for _ in 0..logs.begun.len() {
            if logs.kept.len() <= self.remembered {
                break;
            }
            let Some(oldest) = logs.begun.pop_front() else { break };
            match logs.kept.get(&oldest) {
                Some(log) if !log.has_ended() => logs.begun.push_back(oldest),
                _ => drop(logs.kept.remove(&oldest)),
            }
        }
    }
}

impl Log {
    fn new() -> Self {
        let (count, stopping) = (watch::Sender::new(0), watch::Sender::new(false));
        Self { updates: Mutex::default(), count, stopping }
    }

    fn updates(&self) -> MutexGuard<'_, Vec<Update>> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        self.updates().len()
    }

    fn has_ended(&self) -> bool {
        self.updates().last().is_some_and(Update::ends)
    }

    fn push(&self, update: Update) {
        let mut updates = self.updates();
        if !updates.last().is_some_and(Update::ends) {
            updates.push(update);
            self.count.send_replace(updates.len());
        }
    }
}

#[async_trait]
impl<W: Worker> Executor for Logged<W> {
    async fn receive(&self, caller: &str, message: &Message) -> Result<Reception, Fault> {
        self.worker.receive(caller, message).await
    }

    async fn begin(&self, turn: &Turn) -> Result<Begun, Fault> {
        let log = Arc::new(Log::new());
        let handle = uuid::Uuid::now_v7().to_string();
        self.keep(&handle, &log);
        let teller = Teller {
            log: Arc::clone(&log),
            task_id: turn.task_id.clone(),
            context_id: turn.context_id.clone(),
            number: turn.number,
        };
        teller.status(TaskState::Working, Vec::new());
        let (worker, turn) = (Arc::clone(&self.worker), turn.clone());
        let mut stopping = log.stopping.subscribe();
        tokio::spawn(async move {
            let work = AssertUnwindSafe(worker.work(turn, teller.clone())).catch_unwind();
            let ended = tokio::select! {
                ended = work => ended,
                _ = stopping.wait_for(|stops| *stops) => {
                    return teller.status(TaskState::Canceled, Vec::new());
                }
            };
            match ended {
                Ok(Ok(())) => teller.status(TaskState::Completed, Vec::new()),
                Ok(Err(fault)) => {
                    let by_caller = fault.kind() != FaultKind::Internal;
                    let state = if by_caller { TaskState::Rejected } else { TaskState::Failed };
                    teller.status(state, vec![Part::text(fault.message())]);
                }
                Err(_) => {
                    tracing::error!(task = teller.task_id, "a worker has panicked");
                    teller.status(TaskState::Failed, vec![Part::text("The agent failed.")]);
                }
            }
        });
        Ok(Begun::Work(handle))
    }

    fn follow(&self, work: &Work, after: usize) -> BoxStream<'static, Result<Update, Lost>> {
        let log = match self.log(work) {
            Ok(log) => log,
            Err(lost) => return stream::iter([Err(lost)]).boxed(),
        };
        let count = log.count.subscribe();
        stream::unfold((log, count, after), |(log, mut count, at)| async move {
            loop {
                let next = {
                    let updates = log.updates();
                    match updates.get(at) {
                        None if updates.last().is_some_and(Update::ends) => return None,
                        next => next.cloned(),
                    }
                };
                match next {
                    Some(update) => return Some((Ok(update), (log, count, at + 1))),
                    // The log is held here, so its sender is there.
                    None => drop(count.changed().await),
                }
            }
        })
        .boxed()
    }

    async fn look(&self, work: &Work) -> Result<Vec<Update>, Lost> {
        Ok(self.log(work)?.updates().clone())
    }

    async fn cancel(&self, work: &Work) -> Result<(), Fault> {
        if let Ok(log) = self.log(work) {
            log.stopping.send_replace(true);
        }
        Ok(())
    }
}

impl<W> fmt::Debug for Logged<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged").finish_non_exhaustive()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("updates", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    struct Echo;

    #[async_trait]
    impl Worker for Echo {
        async fn work(&self, turn: Turn, teller: Teller) -> Result<(), Fault> {
            match turn.text().as_str() {
                "hang" => std::future::pending().await,
                "panic" => panic!("as told"),
                "refuse" => Err(Fault::invalid("message", "not that")),
                "ask" => {
                    teller.status(TaskState::InputRequired, vec![Part::text("which?")]);
                    teller.artifact("late", vec![Part::text("not heard")]);
                    Ok(())
                }
                text => {
                    teller.piece("a", vec![Part::text(text)], false, false);
                    tokio::task::yield_now().await;
                    teller.piece("a", vec![Part::text("!")], true, true);
                    teller.artifact("empty", Vec::new());
                    Ok(())
                }
            }
        }
    }

    fn turn(text: &str) -> Turn {
        Turn {
            caller: "me".into(),
            task_id: "t".into(),
            context_id: "c".into(),
            messages: vec![Message::new(Role::User, vec![Part::text(text)])],
            accepted_output_modes: Vec::new(),
            previous: None,
            answers: false,
            continues: false,
            number: 0,
            again: false,
        }
    }

    async fn begin(executor: &Logged<Echo>, text: &str) -> Work {
        let Begun::Work(handle) = executor.begin(&turn(text)).await.expect("it begins") else {
            panic!("it asks")
        };
        Work { task_id: "t".into(), context_id: "c".into(), number: 0, handle }
    }

    async fn end(executor: &Logged<Echo>, work: &Work) -> TaskState {
        let told: Vec<Update> = executor.follow(work, 0).try_collect().await.expect("all of it");
        match told.last() {
            Some(Update::Status { state, .. }) => state.clone(),
            other => panic!("{other:?} is no end"),
        }
    }

    #[tokio::test]
    async fn what_was_told_is_told_again_from_every_place() {
        let executor = Logged::new(Echo);
        let work = begin(&executor, "hi").await;
        let live: Vec<Update> = executor.follow(&work, 0).try_collect().await.unwrap();
        assert_eq!(live.len(), 4, "{live:?}");
        for after in 0..=live.len() {
            let told: Vec<Update> = executor.follow(&work, after).try_collect().await.unwrap();
            assert_eq!(told, live[after..]);
        }
        assert_eq!(executor.look(&work).await.unwrap(), live);
    }

    #[tokio::test]
    async fn every_work_has_an_end_and_only_one() {
        let executor = Logged::new(Echo);
        for (text, state) in [
            ("hi", TaskState::Completed),
            ("panic", TaskState::Failed),
            ("refuse", TaskState::Rejected),
            ("ask", TaskState::InputRequired),
        ] {
            let work = begin(&executor, text).await;
            assert_eq!(end(&executor, &work).await, state, "{text}");
        }
        let work = begin(&executor, "hang").await;
        executor.cancel(&work).await.unwrap();
        assert_eq!(end(&executor, &work).await, TaskState::Canceled);
        executor.cancel(&work).await.unwrap();
        assert_eq!(end(&executor, &work).await, TaskState::Canceled);
    }

    #[tokio::test]
    async fn old_works_are_forgotten_when_they_have_ended() {
        let executor = Logged::new(Echo).remember(2);
        let hangs = begin(&executor, "hang").await;
        let first = begin(&executor, "hi").await;
        end(&executor, &first).await;
        let second = begin(&executor, "hi").await;
        end(&executor, &second).await;
        begin(&executor, "hi").await;
        assert!(matches!(executor.look(&first).await, Err(Lost::Gone(_))));
        assert!(executor.look(&hangs).await.is_ok(), "it is at work");
        let unknown = Work { handle: "x".into(), ..hangs };
        assert!(matches!(executor.follow(&unknown, 0).next().await, Some(Err(Lost::Gone(_)))));
    }
}
