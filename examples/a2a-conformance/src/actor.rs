//! The agent: it plays the script that a message asks for.
//!
//! A handle names the script and when it began, so that it is told again as it was told before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use interactions_a2a::executor::{Begun, Lost, Reception, Turn, Update, Work};
use interactions_a2a::wire::{Message, Part, PartContent, Role, TaskState};
use interactions_a2a::{Executor, Fault, FaultKind};
use tokio::sync::watch;

use crate::script;

/// Plays scripts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor {
    /// The works that were asked about, by task and number.
    stops: Arc<Mutex<HashMap<(String, usize), Stop>>>,
}

/// When a work was cancelled, if it was, in milliseconds since the epoch.
type Stop = watch::Sender<Option<i64>>;

/// An update, and when it is due, in milliseconds since the epoch.
type Due = (i64, Update);

impl Actor {
    /// When a work was cancelled, if it was.
    fn stop(&self, work: &Work) -> Stop {
        let mut all = self.stops.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (work.task_id.clone(), work.number);
        all.entry(key).or_insert_with(|| watch::Sender::new(None)).clone()
    }
}

#[async_trait]
impl Executor for Actor {
    async fn receive(&self, _: &str, message: &Message) -> Result<Reception, Fault> {
        // The host compares the types that parts name; that data is JSON, which this agent does not
        // read, is for the agent to say.
        if message.parts.iter().any(|part| matches!(part.content, PartContent::Data(_))) {
            let why = "the agent reads text, not data";
            return Err(Fault::new(FaultKind::ContentTypeNotSupported, why));
        }
        if !script::is_answered(message) {
            return Ok(Reception::Task);
        }
        let parts = vec![Part::text("Direct message response")];
        Ok(Reception::Message(Message::new(Role::Agent, parts)))
    }

    async fn begin(&self, turn: &Turn) -> Result<Begun, Fault> {
        let last = turn.messages.last();
        let asked = last.and_then(script::find);
        let (name, _) = asked.unwrap_or_else(|| {
            let before = turn.previous.as_deref().filter(|_| turn.answers);
            let asks = before.is_some_and(|handle| handle.starts_with(script::ASKS.0));
            let text = last.and_then(Message::text).unwrap_or_default();
            if asks && !text.contains("done") { script::ASKS } else { script::USUAL }
        });
        Ok(Begun::Work(format!("{name}@{}", Utc::now().timestamp_millis())))
    }

    fn follow(&self, work: &Work, after: usize) -> BoxStream<'static, Result<Update, Lost>> {
        let stop = self.stop(work).subscribe();
        let events = events(work).into_iter().skip(after);
        let told = stream::unfold(Some((events, stop)), |state| async move {
            let (mut events, mut stop) = state?;
            let (due, update) = events.next()?;
            let pause = u64::try_from(due - Utc::now().timestamp_millis()).unwrap_or_default();
            let is_stopped = |at: &Option<i64>| at.is_some_and(|at| at < due);
            let stopped = tokio::select! {
                biased;
                stopped = stop.wait_for(is_stopped) => stopped.is_ok(),
                () = tokio::time::sleep(Duration::from_millis(pause)) => false,
            };
            Some(match stopped {
                true => (Ok(Update::status(TaskState::Canceled)), None),
                false => (Ok(update), Some((events, stop))),
            })
        });
        told.boxed()
    }

    async fn look(&self, work: &Work) -> Result<Vec<Update>, Lost> {
        let stopped = *self.stop(work).borrow();
        let now = Utc::now().timestamp_millis();
        let is_told = |due: i64| due <= stopped.map_or(now, |at| at.min(now));
        let told = events(work).into_iter().take_while(|(due, _)| is_told(*due));
        let mut told: Vec<Update> = told.map(|(_, update)| update).collect();
        if stopped.is_some() && !told.last().is_some_and(Update::ends) {
            told.push(Update::status(TaskState::Canceled));
        }
        Ok(told)
    }

    async fn cancel(&self, work: &Work) -> Result<(), Fault> {
        self.stop(work).send_if_modified(|at| {
            let is_first = at.is_none();
            at.get_or_insert_with(|| Utc::now().timestamp_millis());
            is_first
        });
        Ok(())
    }
}

/// All that a work tells when nobody stops it.
fn events(work: &Work) -> Vec<Due> {
    let (name, began) = work.handle.rsplit_once('@').unwrap_or((&work.handle, "0"));
    let mut due: i64 = began.parse().unwrap_or_default();
    let mut events = Vec::new();
    for (index, step) in script::named(name).iter().enumerate() {
        due += i64::try_from(step.takes().as_millis()).unwrap_or_default();
        let place = format!("{}-{}-{index}", work.task_id, work.number);
        // Who holds ends only by being cancelled.
        let held = matches!(step, script::Step::Hold);
        let update = held.then(|| Update::status(TaskState::Completed));
        events.extend(step.update(&place).or(update).map(|update| (due, update)));
    }
    events
}
