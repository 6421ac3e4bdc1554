//! The executor that the crate is about: an Interactions endpoint does the work.
//!
//! A turn is an interaction in the background, so it lives and dies with the endpoint and not
//! with a connection. Its handle is the interaction's id; everything else is derived from the
//! stored interaction, whenever and wherever it is asked for.

pub(crate) mod input;
pub(crate) mod output;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use interactions_client::{Client, Error, ErrorKind, EventStream};
use interactions_types::{
    CreateInteraction, EnvironmentChoice, FunctionCall, Input, Interaction, InteractionId,
    OneOrMany, ResponseFormat, Status, Step, Target,
};

use super::{Begun, Executor, Lost, Reception, Turn, Update, Work};
use crate::fault::{Fault, FaultKind};
use crate::wire::{Message, Role, metadata};
use input::{Answers, answers, ask, has_response, user_input};
use output::Teller;

/// The label by which work is found that was begun by a host that died too soon.
const LABEL: &str = "a2a_turn";

/// The label that says how many agents have called agents on the way to the work.
pub(crate) const DEPTH_LABEL: &str = "a2a_depth";

/// Has an Interactions endpoint do the work: Google's, or a server of your own.
///
/// Every turn is one interaction, stored and in the background. A turn that goes on from another
/// names it in `previous_interaction_id`, and works in the same sandbox if there is one. Function
/// calls that nobody at the endpoint answers become questions to the caller.
///
/// ```
/// use interactions_a2a::InteractionsExecutor;
/// use interactions_client::Client;
/// use interactions_types::{CreateInteraction, Target};
///
/// # fn executors(client: Client) -> [InteractionsExecutor; 2] {
/// let agent = InteractionsExecutor::new(client.clone(), Target::agent("deep-research-pro"));
/// let model = InteractionsExecutor::with_request(
///     client,
///     CreateInteraction::new("gemini-3.8-flash", "").system_instruction("Answer briefly."),
/// );
/// # [agent, model]
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct InteractionsExecutor {
    client: Client,
    request: CreateInteraction,
    telling: Telling,
}

/// What is told beside the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    pub(crate) thoughts: bool,
    pub(crate) detail: Detail,
    pub(crate) structured: bool,
}

impl Telling {
    /// Thoughts and answers, in the form that a request asks for.
    pub(crate) fn of(request: &CreateInteraction) -> Self {
        let json = |format: &ResponseFormat| {
            serde_json::to_value(format)
                .is_ok_and(|format| format["mime_type"] == "application/json")
        };
        let structured = match &request.response_format {
            Some(OneOrMany::One(format)) => json(format),
            Some(OneOrMany::Many(formats)) => formats.iter().any(json),
            _ => false,
        };
        Self { thoughts: true, detail: Detail::None, structured }
    }
}

/// How much of the tools' work is told, as status updates with a data part each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Which tool was called, and whether it failed.
    Summary,
    /// Arguments and results too.
    Full,
}

impl InteractionsExecutor {
    /// This model or agent does the work.
    pub fn new(client: Client, target: impl Into<Target>) -> Self {
        Self::with_request(client, CreateInteraction::new(target, ""))
    }

    /// Requests like this one do the work; its input is replaced by what callers send.
    pub fn with_request(client: Client, mut request: CreateInteraction) -> Self {
        request.input = None;
        let telling = Telling::of(&request);
        Self { client, request, telling }
    }

    /// Whether summaries of thoughts are told; they are by default. Signatures never are.
    pub fn thoughts(mut self, told: bool) -> Self {
        self.telling.thoughts = told;
        self
    }

    /// How much of the tools' work is told; nothing by default.
    pub fn detail(mut self, detail: Detail) -> Self {
        self.telling.detail = detail;
        self
    }

    async fn read(&self, id: &str) -> Result<Interaction, Error> {
        self.client.get(InteractionId::from(id)).await
    }

    /// The work that a turn goes on from, as far as it is still there.
    async fn before(&self, turn: &Turn) -> Result<Option<Interaction>, Fault> {
        let Some(id) = &turn.previous else { return Ok(None) };
        let error = match self.client.get(InteractionId::from(id.as_str())).include_input().await {
            Ok(before) => return Ok(Some(before)),
            Err(error) => error,
        };
        match error.status() {
            Some(404 | 410) if turn.answers || turn.continues => {
                let why = "what the task was at is not kept any more: begin another one";
                Err(Fault::unsupported(why))
            }
            // Endpoints keep things for a time. The conversation begins anew then, not never.
            Some(404 | 410) => {
                tracing::warn!(task = %turn.task_id, "the conversation so far is not kept any more");
                Ok(None)
            }
            _ => Err(unavailable(&error)),
        }
    }

    /// The request of a turn, or what is missing for it.
    async fn request(&self, turn: &Turn) -> Result<Result<CreateInteraction, Box<Message>>, Fault> {
        let mut request = self.request.clone();
        let before = self.before(turn).await?;
        // Nothing goes on from what has failed. What was said to it is said again.
        let failed = before.as_ref().filter(|before| before.status == Status::Failed);
        if let Some(before) = &before {
            request.previous_interaction_id = match failed {
                Some(failed) => failed.previous_interaction_id.clone(),
                None => Some(before.id.clone()),
            };
            if let Some(environment) = &before.environment_id {
                request.environment = Some(EnvironmentChoice::from(environment.as_str()));
            }
        }
        if turn.continues {
            request.continuation_token = before.and_then(|before| before.continuation_token);
            return Ok(Ok(request));
        }
        let calls: Vec<FunctionCall> = match &before {
            Some(before) if turn.answers => before.pending_calls().into_iter().cloned().collect(),
            _ => Vec::new(),
        };
        let input: Input = if let Some(failed) = failed {
            let new = user_input(&turn.messages)?.into_steps();
            [&failed.steps[..input_length(failed)], &new].concat().into()
        } else if calls.is_empty() {
            user_input(&turn.messages)?
        } else {
            match answers(&calls, &turn.messages) {
                Answers::Whole(results) => results.into(),
                Answers::Missing(missing) => {
                    let last = turn.messages.last();
                    // An answer to something else would be lost without a word.
                    if missing.len() == calls.len() && last.is_some_and(has_response) {
                        let open: Vec<String> =
                            input::ids(&missing).iter().map(|id| format!("`{id}`")).collect();
                        return Err(Fault::invalid(
                            "message.parts",
                            format!("it answers none of the calls that wait: {}", open.join(", ")),
                        ));
                    }
                    return Ok(Err(Box::new(Message {
                        message_id: format!("{}-{}-ask", turn.task_id, turn.messages.len()),
                        context_id: Some(turn.context_id.clone()),
                        task_id: Some(turn.task_id.clone()),
                        ..Message::new(Role::Agent, ask(&missing))
                    })));
                }
            }
        };
        request.input = Some(input);
        Ok(Ok(request))
    }

    /// The interaction that an earlier try has begun for this turn, where the endpoint can say.
    async fn begun_before(&self, label: &str) -> Option<String> {
        let page = self.client.list().label(LABEL, label).page_size(1).await.ok()?;
        let found = self.read(page.ids().first()?.as_str()).await.ok()?;
        // An endpoint that knows no labels lists what is anybody's.
        let is_own = found.labels.as_ref()?.get(LABEL).is_some_and(|own| own == label);
        is_own.then(|| found.id.to_string())
    }
}

#[async_trait]
impl Executor for InteractionsExecutor {
    async fn receive(&self, _caller: &str, message: &Message) -> Result<Reception, Fault> {
        // What cannot be read is refused before there is a task.
        user_input(std::slice::from_ref(message))?;
        Ok(Reception::Task)
    }

    async fn begin(&self, turn: &Turn) -> Result<Begun, Fault> {
        let label = format!("{}-{}", turn.task_id, turn.number + 1);
        if turn.again
            && let Some(id) = self.begun_before(&label).await
        {
            return Ok(Begun::Work(id));
        }
        let mut request = match self.request(turn).await? {
            Ok(request) => request,
            Err(question) => return Ok(Begun::Asks(question)),
        };
        let labels = request.labels.get_or_insert_default();
        labels.insert(LABEL.to_owned(), label);
        // Agents at the endpoint that call others have to know how long the chain is.
        if let Some(depth) = turn.messages.iter().filter_map(depth).max() {
            labels.insert(DEPTH_LABEL.to_owned(), depth.to_string());
        }
        let request = request.store(true).background(true);
        let begun = self.client.create(request).await;
        match begun {
            Ok(interaction) => Ok(Begun::Work(interaction.id.to_string())),
            Err(error) => Err(refused(&error)),
        }
    }

    fn follow(&self, work: &Work, after: usize) -> BoxStream<'static, Result<Update, Lost>> {
        let (executor, work) = (self.clone(), work.clone());
        stream::once(async move { executor.updates(work).await })
            .try_flatten()
            .scan(false, |ended, told| {
                if *ended {
                    return std::future::ready(None);
                }
                *ended = told.as_ref().map_or(true, |told| told.update.ends());
                std::future::ready(Some(told))
            })
            .enumerate()
            .filter(move |(index, told)| {
                let is_wanted = match told {
                    // Told as a whole it is fewer updates, in which nobody has a place.
                    Ok(Told { update, whole: true }) => {
                        update.ends() || matches!(update, Update::Artifact { .. })
                    }
                    Ok(Told { whole: false, .. }) => false,
                    // What fails is told however early it comes.
                    Err(_) => true,
                };
                std::future::ready(*index >= after || is_wanted)
            })
            .map(|(_, told)| told.map(|told| told.update))
            .boxed()
    }

    async fn look(&self, work: &Work) -> Result<Vec<Update>, Lost> {
        let interaction = self.read(&work.handle).await.map_err(|error| lost(&error))?;
        let answers = interaction.steps.iter().filter(|step| matches!(step, Step::ModelOutput(_)));
        // One of several answers may have been broken off, which only the events say.
        if answers.count() > 1 && !interaction.status.is_running() {
            return self.follow(work, 0).try_collect().await;
        }
        Ok(Teller::new(work, self.telling).retell(&without_input(interaction)))
    }

    async fn cancel(&self, work: &Work) -> Result<(), Fault> {
        match self.client.cancel(InteractionId::from(work.handle.as_str())).await {
            Ok(_) => Ok(()),
            // It has ended meanwhile, which whoever follows it hears.
            Err(error) if error.status().is_some_and(|status| status == 400 || status == 409) => {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// An update, and whether it is of work that is only there as a whole.
struct Told {
    update: Update,
    whole: bool,
}

type AllTold = BoxStream<'static, Result<Told, Lost>>;

/// These updates and nothing else.
fn told(updates: Vec<Update>, whole: bool) -> AllTold {
    stream::iter(updates.into_iter().map(move |update| Ok(Told { update, whole }))).boxed()
}

impl InteractionsExecutor {
    /// All updates of a work, from its first event on.
    async fn updates(self, work: Work) -> Result<AllTold, Lost> {
        let id = InteractionId::from(work.handle.as_str());
        let teller = Teller::new(&work, self.telling);
        let events = match self.client.get(id).stream().await {
            Ok(events) => events,
            Err(error) => return self.retold(&work, teller, &error).await,
        };
        struct State {
            executor: InteractionsExecutor,
            work: Work,
            events: EventStream,
            teller: Teller,
            heard: bool,
            ended: bool,
        }
        let state = State { executor: self, work, events, teller, heard: false, ended: false };
        let updates = stream::try_unfold(state, |mut state| async move {
            if state.ended {
                return Ok(None);
            }
            let event = match state.events.next().await {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let executor = state.executor.clone();
                    let reported = error.kind() == ErrorKind::Api && error.status().is_none();
                    let rest = if state.heard && reported {
                        let ended = executor.ended(&state.work, &error).await?;
                        told(state.teller.stop(&without_input(ended)), false)
                    } else {
                        let fresh = Teller::new(&state.work, state.executor.telling);
                        executor.retold(&state.work, fresh, &error).await?
                    };
                    state.ended = true;
                    return Ok(Some((rest, state)));
                }
                None => return Ok(None),
            };
            state.heard = true;
            let whole = || state.events.interaction().unwrap_or_default();
            let updates = state.teller.hear(&event, &whole);
            state.ended = updates.iter().any(Update::ends);
            Ok(Some((told(updates, false), state)))
        });
        Ok(updates.try_flatten().boxed())
    }

    /// Some endpoints do not stream what has ended; then it is there as a whole.
    async fn retold(self, work: &Work, mut teller: Teller, error: &Error) -> Result<AllTold, Lost> {
        if error.status() != Some(404) && error.code() != Some("not_found") {
            return Err(lost(error));
        }
        let ended = self.ended(work, error).await?;
        Ok(told(teller.retell(&without_input(ended)), true))
    }

    /// The interaction, which has ended though its stream did not say so but broke off.
    async fn ended(&self, work: &Work, error: &Error) -> Result<Interaction, Lost> {
        let interaction = self.read(&work.handle).await.map_err(|error| lost(&error))?;
        match interaction.status.is_running() {
            true => Err(Lost::Unreachable(format!("its stream broke off: {error}"))),
            false => Ok(interaction),
        }
    }
}

/// The steps of the work itself: what was said to it comes first in a stored interaction, but in
/// no stream, so that steps would be numbered differently.
pub(crate) fn without_input(mut interaction: Interaction) -> Interaction {
    interaction.steps.drain(..input_length(&interaction));
    interaction
}

/// How many of the first steps are what was said.
fn input_length(interaction: &Interaction) -> usize {
    let steps = &interaction.steps;
    let is_work = |step: &Step| !matches!(step, Step::UserInput(_) | Step::FunctionResult(_));
    steps.iter().position(is_work).unwrap_or(steps.len())
}

fn lost(error: &Error) -> Lost {
    let why = error.to_string();
    match error.status() {
        Some(404 | 410) => Lost::Gone(why),
        _ => Lost::Unreachable(why),
    }
}

/// How many agents have called agents on the way to a message, as it says.
pub(crate) fn depth(message: &Message) -> Option<u64> {
    message.metadata.as_ref()?.get(metadata::DEPTH)?.as_u64()
}

/// The endpoint does not do what it was asked to.
fn refused(error: &Error) -> Fault {
    match error.status() {
        // What the caller sent is not to its taste; its words are about the request.
        Some(400 | 413 | 415 | 422) => {
            tracing::info!(%error, "the endpoint refuses a turn");
            let said = error.api().and_then(|api| api.message.as_deref());
            let message = said.unwrap_or("the agent cannot work on this message");
            Fault::new(FaultKind::InvalidParams, message)
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: &Error) -> Fault {
    tracing::warn!(%error, "the endpoint does not answer as it should");
    Fault::internal("the agent cannot be reached at the moment")
}

#[cfg(test)]
mod tests;
