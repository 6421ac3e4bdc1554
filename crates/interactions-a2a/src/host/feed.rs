//! What a task tells, from any place in it: for streams, for push notifications.
//!
//! Nothing is kept for a reader. Its events are derived anew from the executor's updates, so every
//! reader gets the same ones in the same order, at its own pace. The end of a turn comes from the
//! index, so that nobody hears of an end before everybody could read it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::engine::{Engine, Pause};
use super::wakes::Waking;
use crate::executor::{Lost, Update};
use crate::fault::Fault;
use crate::index::Position;
use crate::task::{Scope, StatusRecord, TaskRecord};
use crate::updates::event;
use crate::wire::{StreamResponse, TaskState, TaskStatusUpdateEvent};

/// How many events wait for a reader that is slower than the agent.
const AHEAD: usize = 16;
/// How long the first update of a replay may take.
const OPENING: Duration = Duration::from_secs(2);
/// So long after an update, a replay has come to the present.
const SILENCE: Duration = Duration::from_millis(25);
/// How long a replay may take until what follows is told as new, for an agent that never pauses.
const CATCHING_UP: Duration = Duration::from_millis(300);

/// An event, and the place behind it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) position: Position,
    pub(super) event: StreamResponse,
}

/// How far to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until the task ends or waits for input.
    Interruption,
    /// Until the task ends, whatever it waits for meanwhile.
    End,
}

impl Engine {
    /// What the task tells after a place.
    ///
    /// Dropping the receiver ends it.
    pub(super) fn feed(
        self: &Arc<Self>,
        scope: Scope,
        id: String,
        after: Position,
        until: Until,
    ) -> mpsc::Receiver<Result<Told, Fault>> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let waking = self.wakes.listen(&id);
        let feed = Feed {
            engine: Arc::clone(self),
            scope,
            id,
            at: after,
            until,
            waking,
            sender: sender.clone(),
        };
        self.tracker.spawn(async move {
            let closing = feed.engine.closing.clone();
            tokio::select! {
                () = closing.cancelled() => {}
                () = sender.closed() => {}
                ended = feed.run() => {
                    if let Err(Stopped::Fault(fault)) = ended {
                        let _ = sender.send(Err(fault)).await;
                    }
                }
            }
        });
        receiver
    }
}

impl Engine {
    /// The place behind what the last turn of a task has told by now, as far as it can be heard
    /// without waiting for more.
    pub(super) async fn present(&self, task: &TaskRecord) -> Position {
        let turn = task.turns.len() - 1;
        let mut updates = 0;
        if let Some(agent) = self.agents.get(&task.scope.agent) {
            for work in task.works(turn) {
                let mut told = agent.executor.follow(&work, 0);
                let (mut limit, mut deadline) = (Instant::now() + OPENING, None);
                while let Ok(Some(Ok(update))) = timeout_at(limit, told.next()).await {
                    if update.ends() {
                        break;
                    }
                    updates += 1;
                    let now = Instant::now();
                    limit = (now + SILENCE).min(*deadline.get_or_insert(now + CATCHING_UP));
                }
            }
        }
        Position { turn, updates, ended: false }
    }
}

struct Feed {
    engine: Arc<Engine>,
    scope: Scope,
    id: String,
    at: Position,
    until: Until,
    waking: Waking,
    sender: mpsc::Sender<Result<Told, Fault>>,
}

/// Why a feed stops before its task does.
enum Stopped {
    /// Nobody reads it.
    Unread,
    Fault(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Feed {
    async fn run(mut self) -> Result<(), Stopped> {
        loop {
            let task = self.task().await?;
            if self.at.turn >= task.turns.len() {
                // The turn before has ended, and no other has begun.
                if task.is_terminal() {
                    // It ended while it waited, without another turn.
                    return match self.at.ended {
                        true => Ok(()),
                        false => self.end(&task, &task.status).await,
                    };
                }
                if self.closes_at(&task.status.state) {
                    return Ok(());
                }
                self.waking.changed().await;
                continue;
            }
            if !self.at.ended {
                self.turn().await?;
            }
            let task = self.task().await?;
            let outcome = task.turns[self.at.turn].outcome.as_ref();
            let state = outcome.map(|outcome| outcome.state.clone());
            let is_last = self.at.turn + 1 == task.places();
            let stops = !task.is_terminal() && state.is_some_and(|state| self.closes_at(&state));
            if is_last && (task.is_terminal() || stops) {
                return Ok(());
            }
            self.at = Position { turn: self.at.turn + 1, updates: 0, ended: false };
        }
    }

    /// Whoever waits for credentials that come another way goes on listening.
    fn closes_at(&self, interruption: &TaskState) -> bool {
        self.until == Until::Interruption && *interruption == TaskState::InputRequired
    }

    /// Tells the rest of one turn.
    async fn turn(&mut self) -> Result<(), Stopped> {
        let mut pause = Pause::new();
        // A turn of several works is read from its begin, since nobody has counted the earlier.
        let (mut work, mut heard) = (0, 0);
        loop {
            let task = self.task().await?;
            let works = task.works(self.at.turn);
            let Some(next) = works.get(work) else {
                if let Some(outcome) = &task.turns[self.at.turn].outcome {
                    return self.end(&task, outcome).await;
                }
                self.waking.changed().await;
                continue;
            };
            let Some(agent) = self.engine.agents.get(&self.scope.agent).cloned() else {
                return Err(Fault::internal("the agent is not hosted here any more").into());
            };
            let skipped = if work == 0 && works.len() == 1 { self.at.updates } else { 0 };
            let base = heard;
            let mut updates = agent.executor.follow(next, skipped);
            heard += skipped;
            let lost = loop {
                match updates.next().await {
                    Some(Ok(Update::Cut)) => {
                        work += 1;
                        break None;
                    }
                    Some(Ok(update)) if update.ends() => {
                        let ended = self.ended().await?;
                        let outcome = ended.turns[self.at.turn].outcome.clone();
                        return match outcome {
                            Some(outcome) => self.end(&ended, &outcome).await,
                            None => Ok(()),
                        };
                    }
                    Some(Ok(update)) => {
                        heard += 1;
                        if heard > self.at.updates {
                            self.at.updates = heard;
                            self.tell(event(&task.id, &task.context_id, update)).await?;
                            pause = Pause::new();
                        }
                    }
                    Some(Err(lost)) => break Some(lost),
                    None => break Some(Lost::Unreachable("no end".to_owned())),
                }
            };
            if lost.is_some() {
                // The runner knows how long to hope; when it gives up, that is the end.
                let task = self.task().await?;
                if let Some(outcome) = task.turns[self.at.turn].outcome.clone() {
                    return self.end(&task, &outcome).await;
                }
                heard = base;
                pause.wait().await;
            }
        }
    }

    /// Waits until the turn's end is on record.
    async fn ended(&mut self) -> Result<TaskRecord, Fault> {
        loop {
            let task = self.task().await?;
            if task.turns[self.at.turn].outcome.is_some() {
                return Ok(task);
            }
            self.waking.changed().await;
        }
    }

    async fn end(&mut self, task: &TaskRecord, outcome: &StatusRecord) -> Result<(), Stopped> {
        self.at.ended = true;
        let update = TaskStatusUpdateEvent {
            task_id: task.id.clone(),
            context_id: task.context_id.clone(),
            status: outcome.to_wire(),
            metadata: outcome.metadata.clone(),
        };
        self.tell(StreamResponse::StatusUpdate(update)).await
    }

    async fn tell(&mut self, event: StreamResponse) -> Result<(), Stopped> {
        let told = Told { position: self.at, event };
        self.sender.send(Ok(told)).await.map_err(|_| Stopped::Unread)
    }

    async fn task(&self) -> Result<TaskRecord, Fault> {
        self.engine.task(&self.scope, &self.id).await
    }
}
