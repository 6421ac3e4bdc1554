//! The loop: create, collect pending calls, run tools, answer.

mod calls;
mod stream;
mod turn;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, SinkExt};
use interactions_client::Error as ClientError;
use interactions_types::{FunctionCall, InteractionId, Status, Step, Usage};
use tokio::time::{Instant, timeout_at};

pub use stream::RunStream;
use turn::Answer;

use crate::event::{Ending, EventSender};
use crate::state::{OpenCall, Stage};
use crate::{
    Agent, AgentError, Decisions, Halt, Hooks, Limit, Outcome, RunEvent, RunState, Session,
    SessionError, SessionRecord, Tool,
};

/// Where a run begins.
pub(crate) enum Start {
    /// With something to say.
    With(Vec<Step>),
    /// Where it was paused.
    From(Box<RunState>, Decisions),
    /// Where its session was left.
    Kept(Decisions),
    /// With what the service is working on.
    At(InteractionId),
}

/// What ends a run before its answer.
enum Stop {
    Client(ClientError),
    Failed,
    Cancelled,
    Limit(Limit),
    Setup(String),
    /// The program wants it so, which is no failure.
    Halted(String),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt.0)
    }
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        Self::Setup(error.to_string())
    }
}

/// A run at work. Everything that has to outlive the process is in `state`.
struct Run {
    /// The agent that was asked.
    root: Agent,
    /// The one whose turn it is.
    agent: Agent,
    state: RunState,
    /// The tools of this turn by their names, once they are known.
    tools: Option<HashMap<String, Arc<dyn Tool>>>,
    events: EventSender,
    record: SessionRecord,
    /// What tools have spent at models of their own.
    spent: Arc<Mutex<Usage>>,
    began: Instant,
    /// For how long it had worked before.
    worked: Duration,
    deadline: Option<Instant>,
}

impl Run {
    /// From the beginning, or from where it was, to its end.
    async fn drive(mut self, start: Start) -> Result<Outcome, AgentError> {
        let session = self.root.0.session.clone();
        // One run at a time goes on with a conversation.
        let turn = session.as_ref().map(|session| Arc::clone(&session.turn));
        let _turn = match &turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let ended = match self.begin(start, session.as_ref()).await {
            Ok(()) => match self.turns().await {
                // What has ended meanwhile is on record before anybody goes on with it.
                Err(stop) if !self.state.calls.is_empty() => {
                    let kept = self.checkpoint().await;
                    kept.and(Err(stop))
                }
                ended => ended,
            },
            Err(stop) => Err(stop),
        };
        self.state.usage +=
            &std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        let ending = match ended {
            Ok(ending) => Ok(ending),
            Err(Stop::Halted(why)) => Ok(Ending::Stopped(why)),
            Err(stop) => Err(stop),
        };
        if !matches!(ending, Ok(Ending::Paused(_))) {
            self.state.settle();
        }
        let kept = self.keep(ending.as_ref().ok()).await;
        match (ending, kept) {
            (Ok(ending), Ok(())) => Ok(Outcome::of(self.state, ending)),
            (Err(stop), _) => Err(into_error(stop, Outcome::of(self.state, Ending::Answered))),
            (Ok(_), Err(error)) => {
                Err(into_error(error.into(), Outcome::of(self.state, Ending::Answered)))
            }
        }
    }

    /// The loop.
    async fn turns(&mut self) -> Result<Ending, Stop> {
        loop {
            if self.state.calls.is_empty() {
                let answer = match self.state.attached.clone() {
                    Some(id) => self.follow(id).await?,
                    None => self.ask().await?,
                };
                if self.take_in(answer).await? {
                    return Ok(Ending::Answered);
                }
            }
            if let Some(paused) = self.carry_out().await? {
                return Ok(paused);
            }
            let is_met = |stop: &&crate::agent::StopCondition| (stop.is_met)(&self.state);
            if let Some(stop) = self.agent.0.stop_conditions.iter().find(is_met) {
                return Ok(Ending::Stopped(stop.name.clone()));
            }
        }
    }

    /// Puts the state together that the loop begins with.
    async fn begin(&mut self, start: Start, session: Option<&Session>) -> Result<(), Stop> {
        if let Some(session) = session {
            self.record = session.record().await?;
        }
        let unfinished = self.record.run.take();
        match start {
            Start::From(state, decisions) => {
                if session.is_some() && unfinished.as_ref() != Some(&*state) {
                    self.record.run = unfinished;
                    return Err(Stop::Setup(
                        "the session has gone on since this state was kept; resume the session instead"
                            .to_owned(),
                    ));
                }
                self.go_on(*state, decisions)?;
            }
            Start::Kept(decisions) => {
                let Some(state) = unfinished else {
                    let why = "the session has no run to go on with; give it something to do";
                    return Err(Stop::Setup(why.to_owned()));
                };
                self.go_on(state, decisions)?;
            }
            Start::With(_) | Start::At(_) if unfinished.is_some() => {
                // What it has done must not be lost by being written over.
                self.record.run = unfinished;
                return Err(Stop::Setup(
                    "the session has a run that is not over; resume it, or abandon it".to_owned(),
                ));
            }
            Start::With(input) => {
                self.continue_conversation();
                self.state.input.extend(input);
            }
            Start::At(id) => {
                self.continue_conversation();
                self.state.attached = Some(id);
                // What was said to it stands with the service only.
                self.state.whole = false;
            }
        }
        self.worked = self.state.worked();
        self.deadline = self
            .root
            .0
            .limits
            .wall_time
            // A limit that the clock cannot express never comes.
            .and_then(|limit| self.began.checked_add(limit.saturating_sub(self.worked)));
        Ok(())
    }

    fn continue_conversation(&mut self) {
        let settings = &self.root.0;
        if settings.session.is_some() && settings.previous.is_none() && settings.context.is_empty()
        {
            self.state.previous.clone_from(&self.record.head);
            self.state.context.clone_from(&self.record.history);
            self.state.last_usage.clone_from(&self.record.last_usage);
            self.state.input.clone_from(&self.record.unsent);
            return;
        }
        self.state.input.clone_from(&settings.unsent);
        self.state.previous.clone_from(&settings.previous);
        self.state.context.clone_from(&settings.context);
        self.state.last_usage.clone_from(&settings.last_usage);
        // A conversation that began elsewhere is known to the service only.
        self.state.whole = settings.previous.is_none() || !settings.context.is_empty();
    }

    fn go_on(&mut self, state: RunState, decisions: Decisions) -> Result<(), Stop> {
        self.state = state;
        self.state.decide(decisions).map_err(|error| Stop::Setup(error.to_string()))?;
        let name = &self.state.agent;
        if !name.is_empty() {
            self.agent = self.root.find(name).ok_or_else(|| {
                Stop::Setup(format!("the run was handed to an agent `{name}`, which is not here"))
            })?;
        }
        self.bound_results();
        Ok(())
    }

    /// Takes an answer in; true when it is the last.
    async fn take_in(&mut self, answer: Answer) -> Result<bool, Stop> {
        let Answer { interaction, faults } = answer;
        let state = &mut self.state;
        state.attached = None;
        state.forced = true;
        let said = std::mem::take(&mut state.input);
        for steps in [&said, &interaction.steps] {
            state.steps.extend(steps.iter().cloned());
            state.context.extend(steps.iter().cloned());
        }
        state.last_usage = interaction.usage.clone().unwrap_or_default();
        state.usage += &state.last_usage;
        let stored = !interaction.id.as_str().is_empty();
        if self.agent.0.store && stored {
            state.previous = Some(interaction.id.clone());
        }
        let calls: Vec<FunctionCall> = interaction.pending_calls().into_iter().cloned().collect();
        let (id, status) = (interaction.id.clone(), interaction.status.clone());
        let usage = interaction.usage.clone().map(Box::new);
        let total = Box::new(state.usage.clone());
        state.interaction = interaction;
        self.tell(RunEvent::TurnFinished { id, status: status.clone(), usage }).await;
        self.tell(RunEvent::Usage { total }).await;
        match status {
            Status::Failed => return Err(Stop::Failed),
            Status::Cancelled => return Err(Stop::Cancelled),
            _ => {}
        }
        for hooks in self.hooks() {
            let judged = hooks.after_turn(&self.state, &self.state.interaction);
            self.hooked("after_turn", judged).await??;
        }
        // The service sometimes asks for action and has nothing for us to do.
        if status != Status::RequiresAction || calls.is_empty() {
            // Calls of an answer that was cut are nobody's to run, but must not stay open.
            self.state.calls =
                calls.into_iter().map(|call| OpenCall::new(call, Stage::Ready)).collect();
            return Ok(true);
        }
        let model = self.state.interaction.model.as_ref().map(ToString::to_string);
        let model = model.unwrap_or_else(|| turn::named(&self.agent.0.target));
        // In the last turn nobody would hear of the results, and whoever goes on would run
        // the tools again.
        let limits = &self.root.0.limits;
        let reached = limits
            .after_turn(&self.state.usage, &model)
            .or_else(|| limits.before_turn(self.state.turns));
        if let Some(limit) = reached {
            return Err(Stop::Limit(limit));
        }
        let known = self.state.answered_in(&self.state.interaction.id);
        let mut ids = HashSet::new();
        self.state.calls = calls
            .into_iter()
            .map(|call| {
                // Whoever decides about a call names it by its id, so a second one of an id must
                // not run in the first one's place.
                if !ids.insert(call.id.clone()) {
                    let why = "another call of this turn has the same id; it was not carried out";
                    let stage = Stage::Done(call.error(why));
                    return OpenCall::new(call, stage);
                }
                // Services use ids again for other calls, and ask the same again; only what the
                // same interaction has asked is the same call.
                let same = known.iter().find(|(asked, _)| asked.id == call.id);
                let stage = match (same, faults.get(&call.id)) {
                    (Some((_, result)), _) => Stage::Done(result.clone()),
                    (None, Some(fault)) => Stage::Broken(fault.clone()),
                    (None, None) => Stage::Ready,
                };
                OpenCall::new(call, stage)
            })
            .collect();
        self.checkpoint().await?;
        Ok(false)
    }

    /// Writes down where the run is.
    async fn checkpoint(&mut self) -> Result<(), Stop> {
        self.clock();
        if let Some(session) = self.root.0.session.clone() {
            self.record.run = Some(self.state.clone());
            session.keep(&mut self.record).await?;
        }
        Ok(())
    }

    /// Writes down what is left: a conversation that is longer now, or a run to go on with.
    async fn keep(&mut self, ending: Option<&Ending>) -> Result<(), SessionError> {
        self.clock();
        let Some(session) = self.root.0.session.clone() else { return Ok(()) };
        match ending {
            Some(Ending::Answered | Ending::Stopped(_)) => {
                self.record.run = None;
                self.record.head.clone_from(&self.state.previous);
                self.record.history.clone_from(&self.state.context);
                self.record.last_usage.clone_from(&self.state.last_usage);
                self.record.unsent.clone_from(&self.state.unsent);
            }
            Some(Ending::Paused(state)) => self.record.run = Some((**state).clone()),
            // What could be gone on with is in the record since the last step.
            None => return Ok(()),
        }
        session.keep(&mut self.record).await
    }

    fn clock(&mut self) {
        let worked = self.worked + self.began.elapsed();
        self.state.worked_ms = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
    }

    /// Waits for something, but not for ever.
    async fn in_time<F: Future>(&self, work: F) -> Result<F::Output, Stop> {
        match self.deadline {
            None => Ok(work.await),
            Some(deadline) => {
                timeout_at(deadline, work).await.map_err(|_| Stop::Limit(self.out_of_time()))
            }
        }
    }

    /// Waits for what the program around the run has to say, but not for ever. Its panics end the
    /// run, not the program.
    async fn hooked<F: Future>(&self, name: &str, said: F) -> Result<F::Output, Stop> {
        let said = self.in_time(AssertUnwindSafe(said).catch_unwind()).await?;
        said.map_err(|_| Stop::Setup(format!("`{name}` of a hook or toolset has panicked")))
    }

    fn out_of_time(&self) -> Limit {
        Limit::WallTime(self.root.0.limits.wall_time.unwrap_or_default())
    }

    /// Who has a say: the hooks of the agent that was asked, whoever it has handed over to, then
    /// those of the one whose turn it is.
    fn hooks(&self) -> Vec<Arc<dyn Hooks>> {
        let mut hooks = self.root.0.hooks.clone();
        if !Arc::ptr_eq(&self.root.0, &self.agent.0) {
            hooks.extend(self.agent.0.hooks.iter().cloned());
        }
        hooks
    }

    async fn tell(&mut self, event: RunEvent) {
        for hooks in self.hooks() {
            hooks.on_event(&event);
        }
        // A reader that has gone is noticed by the drop of this future.
        let _ = self.events.send(Ok(event)).await;
    }
}

fn into_error(stop: Stop, outcome: Outcome) -> AgentError {
    let outcome = Box::new(outcome);
    match stop {
        Stop::Client(source) => AgentError::Client { source, outcome },
        Stop::Failed => AgentError::Failed(outcome),
        Stop::Cancelled => AgentError::Cancelled(outcome),
        Stop::Limit(limit) => AgentError::Limit { limit, outcome },
        Stop::Setup(message) | Stop::Halted(message) => AgentError::Setup { message, outcome },
    }
}
