//! One run: a loop between the model and the tools of MCP servers, until there is an answer.

mod answer;
mod calls;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::FusedStream;
use futures::{FutureExt, StreamExt};
use interactions_types::{
    ApiError, CallId, Delta, FunctionCall, Interaction, JsonObject, McpServerToolCall,
    McpServerToolCallDelta, Status, Step, ToolChoiceMode, Usage,
};

use tokio::time::timeout;

use super::admission::Plan;
use super::journal::{Halted, Journal};
use super::media::Media;
use super::structured::{Held, Repair};
use super::toolbox::{Route, Toolbox};
use super::{Control, Engine, Finished, history, named, new_id};
use crate::clock;
use crate::model::{Finish, ModelError, ModelEvent, ModelStream, Transient, Turn};
use crate::store::{Ending, Progress};

/// Runs a plan to its end; `None` when the run has to be left to another attempt.
pub(super) async fn run(
    engine: &Arc<Engine>,
    plan: Plan,
    journal: Journal,
    beginning: Interaction,
    control: Control,
) -> Option<Finished> {
    let earlier = plan.resumed.as_ref().map(|it| it.progress.clone()).unwrap_or_default();
    let mut run = Run {
        engine,
        plan,
        journal,
        interaction: beginning,
        control,
        toolbox: Toolbox::default(),
        media: Media::default(),
        usage: earlier.usage,
        errors: earlier.errors,
        attachment: earlier.attachment,
        call_ids: HashSet::new(),
        held: Held::default(),
        repair: None,
    };
    let outcome = match run.converse().await {
        Ok(verdict) => run.conclude(verdict).await,
        Err(Stop::Halted(halted)) => Err(halted),
        Err(Stop::Cancelled) => run.conclude(Verdict::Cancelled).await,
        Err(Stop::Failed(error)) => run.conclude(Verdict::Failed(error)).await,
    };
    std::mem::take(&mut run.toolbox).close().await;
    match outcome {
        Ok(finished) => Some(finished),
        Err(Halted::Abandoned) => {
            tracing::info!(id = %run.interaction.id, "the run is left to another attempt");
            None
        }
        Err(Halted::Unborn | Halted::Deserted) => None,
    }
}

struct Run<'a> {
    engine: &'a Arc<Engine>,
    plan: Plan,
    journal: Journal,
    interaction: Interaction,
    control: Control,
    toolbox: Toolbox,
    media: Media,
    usage: Option<Usage>,
    errors: Vec<ApiError>,
    /// Where the generation can be taken up again by another process.
    attachment: Option<String>,
    /// Ids of calls in the whole conversation: models may repeat theirs, callers must be able to tell them apart.
    call_ids: HashSet<CallId>,
    /// The answer as far as it has not been found to fit its schema.
    held: Held,
    /// What the model was told after an answer that did not fit. It gets one such chance.
    repair: Option<Repair>,
}

/// How a run ends when nothing interferes.
enum Verdict {
    Completed,
    /// Cut at the limit of output tokens.
    Incomplete,
    /// The client has to carry out functions.
    RequiresAction,
    Cancelled,
    Failed(ModelError),
}

/// What interferes with a run.
enum Stop {
    Halted(Halted),
    Cancelled,
    Failed(ModelError),
}

impl From<Halted> for Stop {
    fn from(halted: Halted) -> Self {
        Self::Halted(halted)
    }
}

impl From<ModelError> for Stop {
    fn from(error: ModelError) -> Self {
        Self::Failed(error)
    }
}

/// What one generation of the model asks for.
#[derive(Default)]
struct Asked {
    mcp_calls: Vec<McpServerToolCall>,
    client_calls: usize,
    finish: Option<Finish>,
    /// Arguments that cannot be read: a fault of the model, unless it was cut at the limit.
    malformed: Option<ModelError>,
}

/// The call that is being generated.
enum Generating {
    /// Text, thoughts, steps of the model's own tools.
    Plain,
    /// A function of the client.
    Function(String),
    /// A tool of an MCP server, with the argument text so far.
    Mcp { call: McpServerToolCall, text: String },
}

impl Run<'_> {
    async fn converse(&mut self) -> Result<Verdict, Stop> {
        if !self.journal.has_begun() {
            self.journal.created(self.interaction.clone());
            self.journal.status(Status::InProgress);
        }
        if self.plan.resumed.as_ref().is_some_and(|resumed| resumed.cancel_requested) {
            return Err(Stop::Cancelled);
        }
        let opening = Toolbox::open(
            &self.plan.tools,
            self.plan.allowed.as_deref(),
            &self.engine.egress,
            self.engine.config.limits.tool_result_bytes,
        );
        self.toolbox = unhurried(&mut self.journal, &self.control, opening).await?;
        for fault in self.toolbox.faults() {
            // An earlier attempt may have met with it too.
            if !self.errors.contains(&fault) {
                self.errors.push(fault);
            }
        }
        self.note(None);
        let known = self.plan.history.iter().chain(&self.plan.input);
        self.call_ids = known
            .filter_map(|step| match step {
                Step::FunctionCall(call) => Some(call.id.clone()),
                Step::McpServerToolCall(call) => Some(call.id.clone()),
                _ => None,
            })
            .collect();
        if let Some(verdict) = self.pick_up().await? {
            return Ok(verdict);
        }

        let mut rounds = 0;
        while rounds <= self.engine.config.limits.tool_rounds {
            let turn = self.turn().await?;
            let generation = self.plan.model.generate(turn);
            let stream = unhurried(&mut self.journal, &self.control, generation).await??;
            let asked = self.relay(stream).await?;
            if asked.finish == Some(Finish::MaxTokens) {
                // Half an answer is not acted on: what else would it have called?
                return Ok(Verdict::Incomplete);
            }
            if !asked.mcp_calls.is_empty() {
                // Calls are on record before anything is carried out.
                self.journal.flush().await?;
                self.carry_out(asked.mcp_calls).await?;
                if asked.client_calls == 0 {
                    rounds += 1;
                    continue;
                }
            }
            if asked.client_calls > 0 || asked.finish == Some(Finish::RequiresAction) {
                return Ok(Verdict::RequiresAction);
            }
            if self.answer_fits().await? {
                return Ok(Verdict::Completed);
            }
        }
        let rounds = self.engine.config.limits.tool_rounds;
        Err(ModelError::permanent(
            "too_many_tool_calls",
            format!("the model still called tools after {rounds} rounds"),
        )
        .into())
    }

    /// Everything the model gets to know now.
    async fn turn(&mut self) -> Result<Turn, Stop> {
        let so_far = self.journal.steps();
        let free = self.repair.is_some() || !so_far.is_empty();
        let so_far = match &self.repair {
            Some(repair) => repair.told(so_far),
            None => so_far,
        };
        let conversation: Vec<Step> = [&self.plan.history[..], &self.plan.input, &so_far].concat();
        let system = match (&self.plan.system, self.toolbox.note_for_model()) {
            (Some(system), Some(note)) => Some(format!("{system}\n\n{note}")),
            (system, note) => system.clone().or(note),
        };
        let mut steps =
            history::for_model(&conversation, |server, tool| self.toolbox.exposed(server, tool));
        if !self.plan.model.reads_addresses() {
            let limit = self.engine.config.limits.media_bytes;
            let fetching = self.media.fetch(&mut steps, &self.engine.egress, limit);
            unhurried(&mut self.journal, &self.control, fetching).await??;
        }
        Ok(Turn {
            model: self.plan.upstream_model.clone(),
            system,
            functions: self.toolbox.functions().to_vec(),
            native_tools: self.toolbox.native().to_vec(),
            // A forced choice holds for the first generation; forced again, no answer could ever come.
            tool_choice: self
                .plan
                .tool_choice
                .clone()
                .filter(|mode| !free || *mode != ToolChoiceMode::Any),
            steps,
            generation: self.plan.generation.clone(),
            response_format: self.plan.response_format.clone(),
            safety_settings: self.plan.request.safety_settings.clone(),
            service_tier: self.plan.request.service_tier.clone(),
            agent: self.plan.agent.clone(),
            labels: self.plan.request.labels.clone().unwrap_or_default().into_iter().collect(),
            background: self.plan.request.background == Some(true),
            attachment: self.attachment.clone(),
        })
    }

    /// Passes a generation on, event by event.
    async fn relay(&mut self, stream: ModelStream) -> Result<Asked, Stop> {
        let mut stream = stream.fuse();
        let mut asked = Asked::default();
        let mut generating = Generating::Plain;
        let mut calling = false;
        let mut usage = None;
        loop {
            // While the model is quick, events gather in one chunk; when it pauses, they go out.
            let event = match stream.next().now_or_never() {
                // It belongs to the events before it, and must be stored with them.
                Some(event @ Some(Ok(ModelEvent::Attached(_)))) => event,
                Some(event) if !self.journal.is_full() => event,
                Some(event) => {
                    self.journal.flush().await?;
                    event
                }
                None => unhurried(&mut self.journal, &self.control, stream.next()).await?,
            };
            if self.control.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            match event {
                Some(Ok(event)) if self.plan.schema.is_some() && self.held.belongs(&event) => {
                    // Whatever is open ends here, as it would if this were shown.
                    let _ = self.journal.stop();
                    generating = Generating::Plain;
                    self.held.push(event);
                }
                Some(Ok(ModelEvent::Start(step))) => {
                    calling = matches!(step, Step::FunctionCall(_));
                    generating = self.start(step)?;
                }
                Some(Ok(ModelEvent::Delta(delta))) => match (&mut generating, delta) {
                    (Generating::Mcp { text, .. }, Delta::Arguments(more)) => {
                        text.push_str(more.arguments.as_deref().unwrap_or_default());
                    }
                    (_, delta) => self.journal.delta(delta),
                },
                Some(Ok(ModelEvent::Stop)) => {
                    self.stop(std::mem::replace(&mut generating, Generating::Plain), &mut asked);
                    // Asked for more, it carries the call out.
                    if calling && self.plan.model.carries_out_calls() {
                        self.journal.flush().await?;
                    }
                }
                Some(Ok(ModelEvent::Usage(counted))) => {
                    self.note(Some(&counted));
                    usage = Some(counted);
                }
                Some(Ok(ModelEvent::Attached(attachment))) => {
                    let is_first = self.attachment.replace(attachment).is_none();
                    self.note(usage.as_ref());
                    if is_first {
                        // Work has begun elsewhere. Until that is on record, whoever takes over
                        // would begin it again; it may be minutes until it says a word.
                        self.journal.flush_progress().await?;
                    }
                }
                Some(Ok(ModelEvent::Finish(finish))) => asked.finish = Some(finish),
                Some(Err(error)) => {
                    self.add_usage(usage.as_ref());
                    return Err(error.into());
                }
                None => break,
            }
            if let Err(error) = self.check_depth() {
                self.add_usage(usage.as_ref());
                return Err(error.into());
            }
            debug_assert!(!stream.is_terminated(), "a finished stream is not asked again");
        }
        self.add_usage(usage.as_ref());
        match (asked.finish, asked.malformed.take()) {
            (None, _) => Err(ModelError::transient(
                Transient::Unavailable,
                "the model stopped in the middle of its answer",
            )
            .into()),
            (Some(Finish::Stop), Some(malformed)) => Err(malformed.into()),
            (Some(finish), _) => {
                let calls = asked.client_calls > 0 || !asked.mcp_calls.is_empty();
                if calls || finish == Finish::MaxTokens {
                    // Text beside calls is no answer yet, and half an answer is not checked.
                    self.show_held();
                    self.check_depth()?;
                }
                self.answer_broken("the limit of output tokens was reached");
                Ok(asked)
            }
        }
    }

    fn start(&mut self, step: Step) -> Result<Generating, Stop> {
        // Also ends what the model left open.
        self.show_held();
        let own = self.plan.model.carries_out_calls();
        let mut call = match step {
            Step::FunctionCall(call) if !own => call,
            step => {
                self.journal.start(step);
                return Ok(Generating::Plain);
            }
        };
        if call.id.as_str().is_empty() || self.call_ids.contains(&call.id) {
            call.id = new_id("call_").into();
        }
        self.call_ids.insert(call.id.clone());
        let forbidden = self.plan.tool_choice == Some(ToolChoiceMode::None);
        match self.toolbox.route(&call.name).filter(|_| !forbidden) {
            Some(Route::Client) => {
                let name = call.name.clone();
                self.journal.start(call);
                Ok(Generating::Function(name))
            }
            Some(Route::Mcp { server, tool }) => {
                let FunctionCall { id, arguments, signature, .. } = call;
                let mut call = McpServerToolCall::new(id, tool.clone(), server.clone(), arguments);
                if let Some(signature) = signature {
                    // The model wants it back with the call.
                    call.extra.insert(history::SIGNATURE, signature);
                }
                let mut shell = call.clone();
                shell.arguments = JsonObject::new();
                self.journal.start(shell);
                Ok(Generating::Mcp { call, text: String::new() })
            }
            None => Err(ModelError::permanent(
                "unexpected_tool_call",
                format!("the model called `{}`, which is not among its tools", call.name),
            )
            .into()),
        }
    }

    fn stop(&mut self, generating: Generating, asked: &mut Asked) {
        let malformed = |name: &str, error: &dyn std::fmt::Display| {
            ModelError::permanent(
                "malformed_function_call",
                format!("the model's arguments for `{name}` cannot be read: {error}"),
            )
        };
        match generating {
            Generating::Plain => {
                let _ = self.journal.stop();
            }
            Generating::Function(name) => match self.journal.stop() {
                Ok(()) => asked.client_calls += 1,
                Err(error) => asked.malformed = Some(malformed(&name, &error)),
            },
            Generating::Mcp { mut call, text } => {
                if !text.trim().is_empty() {
                    match serde_json::from_str(&text) {
                        Ok(arguments) => call.arguments = arguments,
                        Err(error) => {
                            asked.malformed = Some(malformed(&call.name, &error));
                            self.journal.break_off();
                            return;
                        }
                    }
                }
                self.journal.delta(McpServerToolCallDelta::new(
                    call.name.clone(),
                    call.server_name.clone(),
                    call.arguments.clone(),
                ));
                let _ = self.journal.stop();
                asked.mcp_calls.push(call);
            }
        }
    }

    fn add_usage(&mut self, usage: Option<&Usage>) {
        if let Some(usage) = usage {
            *self.usage.get_or_insert_default() += usage;
        }
    }

    /// Keeps what this attempt has cost and met with for the next one, if there has to be one.
    fn note(&mut self, more: Option<&Usage>) {
        let mut usage = self.usage.clone();
        if let Some(more) = more {
            *usage.get_or_insert_default() += more;
        }
        let progress = Progress::new(usage, self.errors.clone());
        self.journal.note(progress.attached(self.attachment.clone()));
    }

    async fn conclude(&mut self, verdict: Verdict) -> Result<Finished, Halted> {
        // However the run ends, what the model said last is kept.
        self.show_held();
        let mut transient = None;
        let status = match verdict {
            Verdict::Completed => Status::Completed,
            Verdict::Incomplete => Status::Incomplete,
            Verdict::RequiresAction => Status::RequiresAction,
            Verdict::Cancelled => {
                self.journal.status(Status::Cancelled);
                Status::Cancelled
            }
            Verdict::Failed(error) => {
                tracing::info!(id = %self.interaction.id, %error, "the run failed");
                transient = error.transient;
                let error = ApiError::new().code(error.code).message(error.message);
                self.journal.error(error.clone());
                self.errors.push(error);
                Status::Failed
            }
        };
        let updated = clock::now();
        self.interaction.status = status.clone();
        self.interaction.updated = Some(clock::rfc3339(updated));
        self.interaction.usage.clone_from(&self.usage);
        self.interaction.errors = (!self.errors.is_empty()).then(|| self.errors.clone());
        named(&mut self.interaction, &self.plan.request);
        let output = self.journal.steps();
        let deliveries = self
            .engine
            .announce(
                &self.plan.tenant,
                &self.interaction.id,
                &self.plan.request,
                &status,
                &self.errors,
            )
            .await
            // Another attempt ends it, and tells of it.
            .map_err(|_| Halted::Abandoned)?;
        let tells = !deliveries.is_empty();
        let ending = Ending {
            deliveries,
            status,
            output: output.clone(),
            usage: self.usage.clone(),
            errors: self.errors.clone(),
            updated,
        };
        self.journal.finish(self.interaction.clone(), ending).await?;
        if tells {
            self.engine.outbox.call();
        }
        if let Some(attachment) = self.attachment.take() {
            let cancelled = self.interaction.status == Status::Cancelled;
            let model = Arc::clone(&self.plan.model);
            // Not even a slow upstream keeps the caller from the answer.
            self.engine.tasks.spawn(async move { model.let_go(&attachment, cancelled).await });
        }
        let mut interaction = self.interaction.clone();
        interaction.steps = output;
        Ok(Finished { interaction, transient })
    }
}

/// Does something that may be done at once. If it takes time, what has been written goes out first:
/// a quick run is stored as a whole, a slow one is on record before anybody waits.
async fn unhurried<F: Future>(
    journal: &mut Journal,
    control: &Control,
    work: F,
) -> Result<F::Output, Stop> {
    let mut work = pin!(work);
    if let Some(done) = work.as_mut().now_or_never() {
        return Ok(done);
    }
    let leisure = journal.leisure();
    if !leisure.is_zero() {
        let soon = timeout(leisure, interruptible(control, work.as_mut()));
        if let Ok(done) = soon.await {
            return done;
        }
    }
    journal.flush().await?;
    interruptible(control, work).await
}

/// Waits for something that may be dropped at any time, unless the run is stopped first.
async fn interruptible<F: Future>(control: &Control, work: F) -> Result<F::Output, Stop> {
    tokio::select! {
        biased;
        () = control.abandon.cancelled() => Err(Stop::Halted(Halted::Abandoned)),
        () = control.cancel.cancelled() => Err(Stop::Cancelled),
        done = work => Ok(done),
    }
}
