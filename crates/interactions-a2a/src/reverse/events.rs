//! The events of an interaction as those of a task.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use interactions_client::{Error, EventStream};
use interactions_types::{InteractionId, StreamEvent};

use super::error::upstream;
use super::snapshot::{self, settled};
use super::turn::Begin;
use super::{InteractionsTransport, placed};
use crate::executor::interactions::output::Teller;
use crate::executor::interactions::without_input;
use crate::executor::{Update, Work};
use crate::updates::event;
use crate::wire::{A2AError, Message, StreamResponse, Task, TaskState, TaskStatus, now};

type Events = BoxStream<'static, Result<StreamResponse, A2AError>>;

/// A task of which nothing more is to be told.
pub(super) fn only(task: Task) -> Events {
    stream::iter([Ok(StreamResponse::Task(task))]).boxed()
}

impl InteractionsTransport {
    /// Begins an interaction and tells it from its begin on.
    pub(super) async fn begun(
        &self,
        begin: Box<Begin>,
        history: Option<usize>,
    ) -> Result<Events, A2AError> {
        let Begin { request, context, message } = *begin;
        let previous = request.previous_interaction_id.clone();
        let events = self
            .client
            .create(request)
            .stream()
            .await
            .map_err(|error| upstream(&error, previous.as_ref().map(InteractionId::as_str)))?;
        let opening = Opening { context, message, history, early: Vec::new() };
        let source = Source::Live(Box::new(events));
        Ok(Feed { opening: Some(opening), ..Feed::new(self.clone(), source) }.events())
    }

    /// Tells a running task: as it stands, then everything from its begin on.
    pub(super) async fn followed(&self, mut task: Task) -> Events {
        let id = InteractionId::from(task.id.as_str());
        let source = match self.client.get(&id).stream().await {
            Ok(events) => Source::Live(Box::new(events)),
            // It is not streamed, or has just ended.
            Err(_) => Source::Ending,
        };
        let mut feed = Feed::new(self.clone(), source);
        feed.begin(snapshot::work(&task.id, &task.context_id, 0), id);
        // They are told anew.
        task.artifacts = None;
        feed.ready.push_back(StreamResponse::Task(task));
        feed.events()
    }
}

/// A task that is being told.
struct Feed {
    transport: InteractionsTransport,
    source: Source,
    /// Until the interaction has a name.
    opening: Option<Opening>,
    told: Option<Told>,
    ready: VecDeque<StreamResponse>,
}

enum Source {
    Live(Box<EventStream>),
    /// Only its end can be had, by reading.
    Ending,
    Over,
}

/// What the first event of a new task is made of.
struct Opening {
    context: Option<String>,
    message: Message,
    history: Option<usize>,
    /// Events that came before the name.
    early: Vec<StreamEvent>,
}

struct Told {
    work: Work,
    teller: Teller,
    /// The interaction that is told at present: an answer may take several.
    at: InteractionId,
    /// Whether it was cut, and nothing has gone on from it yet.
    cut: bool,
}

impl Feed {
    fn new(transport: InteractionsTransport, source: Source) -> Self {
        Self { transport, source, opening: None, told: None, ready: VecDeque::new() }
    }

    fn begin(&mut self, work: Work, at: InteractionId) {
        let teller = Teller::new(&work, self.transport.telling);
        self.told = Some(Told { work, teller, at, cut: false });
    }

    fn events(self) -> Events {
        stream::try_unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            Ok(event.map(|event| (event, feed)))
        })
        .into_stream()
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<StreamResponse>, A2AError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match &mut self.source {
                Source::Over => return Ok(None),
                Source::Ending => self.read_end().await?,
                Source::Live(events) => match events.next().await {
                    Some(Ok(event)) => self.take(event),
                    Some(Err(error)) => self.broke(&error)?,
                    None => {
                        self.source = Source::Over;
                        if self.told.as_ref().is_some_and(|told| told.cut) {
                            self.tell(vec![settled(Update::Cut)]);
                        }
                    }
                },
            }
        }
    }

    fn take(&mut self, event: StreamEvent) {
        let Source::Live(events) = &self.source else { return };
        let name = events.id().cloned();
        let Some(mut opening) = self.opening.take() else {
            self.hear(&event, name);
            return;
        };
        opening.early.push(event);
        let Some(id) = name else {
            self.opening = Some(opening);
            return;
        };
        let context = opening.context.unwrap_or_else(|| id.to_string());
        let mut task = Task {
            id: id.to_string(),
            context_id: context.clone(),
            status: TaskStatus {
                state: TaskState::Submitted,
                message: None,
                timestamp: Some(now()),
            },
            artifacts: None,
            history: Some(vec![placed(opening.message, id.as_str(), &context)]),
            metadata: None,
        };
        snapshot::shorten(&mut task, opening.history);
        self.transport.contexts.note(&context, [id.as_str()]);
        self.ready.push_back(StreamResponse::Task(task));
        self.begin(snapshot::work(id.as_str(), &context, 0), id.clone());
        for event in opening.early {
            self.hear(&event, Some(id.clone()));
        }
    }

    fn hear(&mut self, event: &StreamEvent, name: Option<InteractionId>) {
        let (Some(told), Source::Live(events)) = (&mut self.told, &self.source) else { return };
        if told.cut && matches!(event, StreamEvent::Created(_)) {
            // The answer goes on, in another interaction with steps of its own.
            told.cut = false;
            told.work.number += 1;
            told.teller = Teller::new(&told.work, self.transport.telling);
            if let Some(name) = name {
                self.transport.contexts.note(&told.work.context_id, [name.as_str()]);
                told.at = name;
            }
        }
        let whole = || events.interaction().unwrap_or_default();
        let mut updates = told.teller.hear(event, &whole);
        let is_cut = |update: &Update| matches!(update, Update::Cut);
        told.cut |= updates.iter().any(is_cut);
        updates.retain(|update| !is_cut(update));
        self.tell(updates);
    }

    fn tell(&mut self, updates: Vec<Update>) {
        let Some(told) = &self.told else { return };
        for update in updates {
            if update.ends() {
                self.source = Source::Over;
            }
            self.ready.push_back(event(&told.work.task_id, &told.work.context_id, update));
        }
    }

    /// The stream is over before the interaction is, or so it seems.
    fn broke(&mut self, error: &Error) -> Result<(), A2AError> {
        if self.told.is_none() || error.is_timeout() {
            self.source = Source::Over;
            return Err(upstream(error, None));
        }
        tracing::debug!(%error, "a stream broke; the end of the interaction is read instead");
        self.source = Source::Ending;
        Ok(())
    }

    /// Waits for the end, and tells everything anew: whole artifacts take the place of pieces.
    async fn read_end(&mut self) -> Result<(), A2AError> {
        self.source = Source::Over;
        let Some(told) = &mut self.told else { return Ok(()) };
        let end = self.transport.client.wait(&told.at).await;
        let end = end.map_err(|error| upstream(&error, Some(told.at.as_str())))?;
        let mut teller = Teller::new(&told.work, self.transport.telling);
        let updates = teller.retell(&without_input(end)).into_iter().skip(1).map(settled);
        let updates = updates.collect();
        self.tell(updates);
        Ok(())
    }
}
