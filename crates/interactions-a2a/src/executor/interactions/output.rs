//! What an interaction tells, as updates of a task.
//!
//! The same events always make the same updates, ids included: that is what lets the host replay
//! a task without a log of its own.

mod answer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interactions_types::{
    Annotation, Content, Delta, FunctionCall, Interaction, Status, Step, StreamEvent, Thought,
};
use serde_json::{Value, json};

use super::input::ask;
use super::{Detail, Telling};
use crate::executor::{Update, Work};
use crate::wire::{Message, Metadata, Part, Role, TaskState, metadata};

use answer::{Answer, Piece};

/// Turns events into updates, one after the other.
#[derive(Debug)]
pub(crate) struct Teller {
    work: Work,
    telling: Telling,
    /// How many messages were made, for their ids.
    messages: usize,
    /// The step that is being told.
    open: Open,
    /// Whether any result was told.
    told: bool,
    /// An answer whose step has ended; only what follows says whether it was broken off.
    ended: Option<Answer>,
    /// An answer that was broken off, until another takes its place.
    broken: Option<Answer>,
}

#[derive(Debug)]
enum Open {
    Nothing,
    Answer(Box<Answer>),
    Thought { text: String },
    Other { index: i64 },
}

impl Teller {
    pub(crate) fn new(work: &Work, telling: Telling) -> Self {
        Self {
            work: work.clone(),
            telling,
            messages: 0,
            open: Open::Nothing,
            told: false,
            ended: None,
            broken: None,
        }
    }

    /// What an event tells. `whole` makes an interaction of all events up to this one, which is
    /// too much work to do for each.
    pub(crate) fn hear(
        &mut self,
        event: &StreamEvent,
        whole: &dyn Fn() -> Interaction,
    ) -> Vec<Update> {
        let mut updates = Vec::new();
        match event {
            StreamEvent::Created(_) => updates.push(Update::status(TaskState::Working)),
            StreamEvent::StepStart(start) => {
                self.close(whole, &mut updates);
                self.finish(&mut updates);
                self.begin(start.index, &start.step, &mut updates);
            }
            StreamEvent::StepDelta(delta) => self.grow(&delta.delta, &mut updates),
            StreamEvent::StepStop(_) => self.close(whole, &mut updates),
            // Whoever worked on it died in the middle of an answer; another one begins it anew.
            StreamEvent::StatusUpdate(update) if update.status == Status::InProgress => {
                if let Some(mut answer) = self.ended.take() {
                    answer.break_off();
                    self.broken = Some(answer);
                }
            }
            StreamEvent::Completed(completed) => {
                self.close(whole, &mut updates);
                self.finish(&mut updates);
                let status = &completed.interaction.status;
                updates.extend(self.end(status, &whole()));
            }
            _ => {}
        }
        updates
    }

    /// What an interaction tells that is only there as a whole.
    pub(crate) fn retell(&mut self, interaction: &Interaction) -> Vec<Update> {
        let mut updates = vec![Update::status(TaskState::Working)];
        for (index, step) in interaction.steps.iter().enumerate() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            self.begin(index, step, &mut updates);
            self.close(&|| interaction.clone(), &mut updates);
            self.finish(&mut updates);
        }
        if !interaction.status.is_running() {
            updates.extend(self.end(&interaction.status, interaction));
        }
        updates
    }

    /// What there is to tell of an interaction whose events broke off because it ended.
    pub(crate) fn stop(&mut self, interaction: &Interaction) -> Vec<Update> {
        let mut updates = Vec::new();
        self.close(&|| interaction.clone(), &mut updates);
        self.finish(&mut updates);
        updates.extend(self.end(&interaction.status, interaction));
        updates
    }

    fn begin(&mut self, index: i64, step: &Step, updates: &mut Vec<Update>) {
        match step {
            Step::ModelOutput(output) => {
                let own = || format!("{}-step-{index}", self.work.number + 1);
                let answer = match self.broken.take() {
                    Some(broken) => Answer::anew(broken),
                    None => Answer::new(own(), self.telling.structured),
                };
                self.open = Open::Answer(Box::new(answer));
                for part in output.content.iter().filter_map(part) {
                    self.hold(part, updates);
                }
            }
            Step::Thought(thought) => {
                self.open = Open::Thought { text: summary(thought) };
            }
            _ => self.open = Open::Other { index },
        }
    }

    fn grow(&mut self, delta: &Delta, updates: &mut Vec<Update>) {
        match (delta, &mut self.open) {
            (Delta::ThoughtSummary(delta), Open::Thought { text }) => {
                if let Some(more) = delta.content.as_ref().and_then(Content::as_text) {
                    text.push_str(more);
                }
            }
            (Delta::TextAnnotation(delta), Open::Answer(answer)) => {
                if let Some(part) = answer.held() {
                    annotate(part, &delta.annotations);
                }
            }
            (delta, Open::Answer(_)) => {
                if let Some(part) = delta_part(delta) {
                    self.hold(part, updates);
                }
            }
            _ => {}
        }
    }

    fn hold(&mut self, part: Part, updates: &mut Vec<Update>) {
        if let Open::Answer(answer) = &mut self.open {
            let piece = answer.hold(part);
            self.tell(piece, updates);
        }
    }

    /// Ends the step.
    fn close(&mut self, whole: &dyn Fn() -> Interaction, updates: &mut Vec<Update>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Answer(answer) => self.ended = Some(*answer),
            Open::Thought { text } if self.telling.thoughts && !text.is_empty() => {
                let mut part = Part::text(text);
                part.metadata = Some(
                    [metadata::ADK_THOUGHT, metadata::THOUGHT]
                        .map(|name| (name.to_owned(), json!(true)))
                        .into(),
                );
                updates.push(self.word(TaskState::Working, vec![part]));
            }
            Open::Other { index } if self.telling.detail != Detail::None => {
                let whole = whole();
                let step = usize::try_from(index).ok().and_then(|index| whole.steps.get(index));
                if let Some(part) = step.and_then(|step| self.telling.detail.of(step)) {
                    updates.push(self.word(TaskState::Working, vec![part]));
                }
            }
            Open::Thought { .. } | Open::Other { .. } | Open::Nothing => {}
        }
    }

    /// Tells the last piece of an answer that was not broken off.
    fn finish(&mut self, updates: &mut Vec<Update>) {
        let piece = self.ended.take().and_then(Answer::finish);
        self.tell(piece, updates);
    }

    fn tell(&mut self, piece: Option<Piece>, updates: &mut Vec<Update>) {
        if let Some(Piece { artifact, append, last }) = piece {
            self.told = true;
            updates.push(Update::Artifact { artifact, append, last });
        }
    }

    fn word(&mut self, state: TaskState, parts: Vec<Part>) -> Update {
        Update::Status { state, message: Some(self.message(parts)), metadata: None }
    }

    fn message(&mut self, parts: Vec<Part>) -> Message {
        self.messages += 1;
        let id = format!("{}-{}-{}", self.work.task_id, self.work.number + 1, self.messages);
        Message {
            message_id: id,
            context_id: Some(self.work.context_id.clone()),
            task_id: Some(self.work.task_id.clone()),
            ..Message::new(Role::Agent, parts)
        }
    }

    fn end(&mut self, status: &Status, whole: &Interaction) -> Option<Update> {
        let (state, parts) = match status {
            Status::Completed => (TaskState::Completed, Vec::new()),
            Status::RequiresAction => {
                let calls: Vec<FunctionCall> = whole.pending_calls().into_iter().cloned().collect();
                (TaskState::InputRequired, ask(&calls))
            }
            Status::RequiresContinuation => return Some(Update::Cut),
            Status::Cancelled => (TaskState::Canceled, Vec::new()),
            Status::Incomplete if self.told => (TaskState::Completed, Vec::new()),
            Status::Incomplete => {
                (TaskState::Failed, vec![Part::text("The agent ended without an answer.")])
            }
            Status::BudgetExceeded => (TaskState::Failed, reason("BUDGET_EXCEEDED")),
            Status::Queued | Status::InProgress => return None,
            Status::Failed => failure(whole),
            _ => (TaskState::Failed, vec![Part::text("The agent ended in an unknown way.")]),
        };
        let mut facts = Metadata::new();
        if *status == Status::Incomplete {
            facts.insert(metadata::FINISH.to_owned(), json!("incomplete"));
        }
        if let Some(usage) = whole.usage.as_ref().and_then(|usage| serde_json::to_value(usage).ok())
        {
            facts.insert(metadata::USAGE.to_owned(), usage);
        }
        let message = (!parts.is_empty()).then(|| self.message(parts));
        Some(Update::Status { state, message, metadata: (!facts.is_empty()).then_some(facts) })
    }
}

impl Detail {
    /// What to show of a step that is neither answer nor thought.
    fn of(self, step: &Step) -> Option<Part> {
        let mut shown = match step {
            Step::UserInput(_) => return None,
            step => serde_json::to_value(step).ok()?,
        };
        match self {
            Self::None => return None,
            Self::Summary => {
                let object = shown.as_object_mut()?;
                object.retain(|name, _| {
                    ["type", "name", "server_name", "is_error"].contains(&name.as_str())
                });
            }
            // A signature is for the model's service alone.
            Self::Full => {
                shown.as_object_mut()?.shift_remove("signature");
            }
        }
        let mut part = Part::data(shown);
        part.metadata = Some([(metadata::KIND.to_owned(), json!("step"))].into());
        Some(part)
    }
}

/// Why an interaction failed, as far as a caller may know.
fn failure(whole: &Interaction) -> (TaskState, Vec<Part>) {
    let errors = whole.errors.as_deref().unwrap_or_default();
    let code = errors.iter().rev().find_map(|error| error.code.as_deref()).unwrap_or_default();
    match code {
        "unauthenticated" | "authentication" => (
            TaskState::AuthRequired,
            vec![Part::text("The agent needs credentials that it does not have.")],
        ),
        "permission_denied" => (
            TaskState::Failed,
            vec![Part::text("The agent was not allowed to do what this needs.")],
        ),
        // What went wrong inside is for the log of whoever runs the agent.
        _ => (TaskState::Failed, vec![Part::text("The agent failed.")]),
    }
}

fn reason(reason: &str) -> Vec<Part> {
    let data = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "interactions",
    });
    vec![Part::text("The agent's budget is spent."), Part::data(data)]
}

fn summary(thought: &Thought) -> String {
    thought.summary.iter().filter_map(Content::as_text).collect()
}

fn annotate(part: &mut Part, annotations: &[Annotation]) {
    if annotations.is_empty() {
        return;
    }
    let metadata = part.metadata.get_or_insert_default();
    let place = metadata.entry(metadata::ANNOTATIONS.to_owned()).or_insert_with(|| json!([]));
    if let Value::Array(known) = place {
        known.extend(annotations.iter().filter_map(|one| serde_json::to_value(one).ok()));
    }
}

/// A content of an answer. Kinds that nobody knows yet travel as data.
pub(crate) fn part(content: &Content) -> Option<Part> {
    match content {
        Content::Text(text) if text.text.is_empty() => None,
        Content::Text(text) => {
            let mut part = Part::text(text.text.clone());
            annotate(&mut part, &text.annotations);
            Some(part)
        }
        other => {
            let value = serde_json::to_value(other).ok()?;
            Some(media(&value).unwrap_or_else(|| Part::data(value)))
        }
    }
}

/// What a delta adds to an answer.
fn delta_part(delta: &Delta) -> Option<Part> {
    match delta {
        Delta::Text(delta) => (!delta.text.is_empty()).then(|| Part::text(delta.text.clone())),
        Delta::Image(_) | Delta::Audio(_) | Delta::Video(_) | Delta::Document(_) => {
            media(&serde_json::to_value(delta).ok()?)
        }
        _ => None,
    }
}

/// Images, sounds, videos and documents are alike on the wire.
fn media(value: &Value) -> Option<Part> {
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
    let part = match (text("data"), text("uri")) {
        (Some(data), _) => Part::raw(STANDARD.decode(data).ok()?),
        (None, Some(uri)) => Part::url(uri),
        (None, None) => return None,
    };
    Some(match text("mime_type") {
        Some(kind) => part.with_media_type(kind),
        None => part,
    })
}
