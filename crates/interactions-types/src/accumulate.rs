//! From events back to an interaction.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::wire::reread;
use crate::{CallId, Content, Delta, Interaction, JsonObject, Status, Step, StreamEvent, Text};

/// Builds an [`Interaction`] from the events of its stream.
///
/// Feed it every event in order; at any time it holds what has arrived.
/// Unknown events and deltas are passed over, as the API asks of clients.
///
/// ```
/// use interactions_types::{Accumulator, StreamEvent};
///
/// let mut accumulator = Accumulator::new();
/// for data in [
///     r#"{"event_type":"interaction.created","interaction":{"id":"v1_x","status":"in_progress"}}"#,
///     r#"{"event_type":"step.start","index":0,"step":{"type":"model_output"}}"#,
///     r#"{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hello"}}"#,
///     r#"{"event_type":"step.stop","index":0}"#,
///     r#"{"event_type":"interaction.completed","interaction":{"id":"v1_x","status":"completed"}}"#,
/// ] {
///     accumulator.push(&StreamEvent::decode(None, data.as_bytes())?)?;
/// }
/// assert!(accumulator.is_complete());
/// assert_eq!(accumulator.into_interaction().output_text(), "Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    interaction: Interaction,
    /// Keyed by index because nothing promises that steps do not overlap.
    steps: BTreeMap<i64, Step>,
    /// Argument text of the function calls that are still open.
    arguments: BTreeMap<i64, String>,
    complete: bool,
}

impl Accumulator {
    /// An accumulator that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event.
    ///
    /// # Errors
    /// [`AccumulateError`] when an event does not fit what came before: a delta without its step,
    /// or function arguments that are not a JSON object. What was gathered before stays.
    pub fn push(&mut self, event: &StreamEvent) -> Result<(), AccumulateError> {
        match event {
            StreamEvent::Created(event) => self.interaction = (*event.interaction).clone(),
            StreamEvent::StatusUpdate(event) => {
                self.interaction.status = event.status.clone();
                if event.continuation_token.is_some() {
                    self.interaction.continuation_token.clone_from(&event.continuation_token);
                }
                if event.usage.is_some() {
                    self.interaction.usage = event.usage.as_deref().cloned();
                }
            }
            StreamEvent::StepStart(event) => {
                self.arguments.remove(&event.index);
                self.steps.insert(event.index, event.step.clone());
            }
            StreamEvent::StepDelta(event) => self.grow(event.index, &event.delta)?,
            StreamEvent::StepStop(event) => {
                if event.usage.is_some() {
                    self.interaction.usage = event.usage.as_deref().cloned();
                }
                self.close(event.index)?;
            }
            StreamEvent::Completed(event) => {
                let closed = self.close_all();
                self.merge_final(&event.interaction);
                self.complete = true;
                closed?;
            }
            StreamEvent::Error(event) => {
                if let Some(error) = &event.error {
                    self.interaction.errors.get_or_insert_default().push(error.clone());
                }
            }
            StreamEvent::Unknown(_) => {}
        }
        Ok(())
    }

    /// Whether `interaction.completed` has arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What has arrived so far, open steps included.
    #[must_use]
    pub fn interaction(&self) -> Interaction {
        self.clone().into_interaction()
    }

    /// The status as last reported.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.interaction.status
    }

    /// What has arrived.
    #[must_use]
    pub fn into_interaction(mut self) -> Interaction {
        if !self.steps.is_empty() {
            self.interaction.steps = self.steps.into_values().collect();
        }
        self.interaction
    }

    /// The last event repeats the whole in part: what it has wins, what it leaves out stays.
    ///
    /// Only a continuation token is not carried over: one of an earlier event was a checkpoint.
    #[expect(deprecated, reason = "what is deprecated still arrives")]
    fn merge_final(&mut self, last: &Interaction) {
        let known = std::mem::replace(&mut self.interaction, last.clone());
        let merged = &mut self.interaction;
        macro_rules! keep {
            ($($field:ident),*) => { $(
                if merged.$field.is_none() { merged.$field = known.$field; }
            )* };
        }
        keep!(
            object,
            role,
            model,
            agent,
            created,
            updated,
            usage,
            previous_interaction_id,
            errors,
            input,
            tools,
            system_instruction,
            generation_config,
            labels,
            service_tier,
            environment_id,
            environment,
            agent_config,
            response_format,
            response_mime_type,
            response_modalities,
            safety_settings,
            webhook_config,
            cached_content
        );
        if merged.id.as_str().is_empty() {
            merged.id = known.id;
        }
        if merged.status == Status::default() {
            merged.status = known.status;
        }
        for (name, value) in known.extra.iter().filter(|(name, _)| *name != "event_id") {
            if merged.extra.field(name).is_none() {
                merged.extra.insert(name, value.clone());
            }
        }
        if merged.steps.is_empty() {
            merged.steps = known.steps;
        } else {
            self.steps = (0..).zip(std::mem::take(&mut merged.steps)).collect();
        }
    }

    fn grow(&mut self, index: i64, delta: &Delta) -> Result<(), AccumulateError> {
        let Some(step) = self.steps.get_mut(&index) else {
            return Err(AccumulateError::new(format!(
                "a `{}` delta for step {index}, which has not started",
                delta.kind()
            )));
        };
        match (step, delta) {
            (Step::ModelOutput(output), Delta::Text(delta)) => {
                append_text(&mut output.content, &delta.text);
            }
            (Step::ModelOutput(output), Delta::TextAnnotation(delta)) => {
                let text = annotated_text(&mut output.content);
                text.annotations.extend(delta.annotations.iter().cloned());
            }
            (Step::ModelOutput(output), media) if Content::KNOWN.contains(&media.kind()) => {
                output.content.push(recast(media)?);
            }
            (Step::Thought(thought), Delta::ThoughtSummary(delta)) => match &delta.content {
                Some(Content::Text(more)) => append_text(&mut thought.summary, &more.text),
                Some(other) => thought.summary.push(other.clone()),
                None => {}
            },
            (Step::Thought(thought), Delta::ThoughtSignature(delta))
                if delta.signature.is_some() =>
            {
                thought.signature.clone_from(&delta.signature);
            }
            (Step::FunctionCall(_) | Step::McpServerToolCall(_), Delta::Arguments(delta)) => {
                let text = self.arguments.entry(index).or_default();
                text.push_str(delta.arguments.as_deref().unwrap_or_default());
            }
            // Tools of the service send their whole payload in one delta named like the step.
            (step, delta) if step.kind() == delta.kind() => *step = merge(step, delta)?,
            _ => {}
        }
        Ok(())
    }

    /// Closes the steps whose end was not announced.
    fn close_all(&mut self) -> Result<(), AccumulateError> {
        let open: Vec<i64> = self.arguments.keys().copied().collect();
        open.into_iter().map(|index| self.close(index)).fold(Ok(()), Result::and)
    }

    fn close(&mut self, index: i64) -> Result<(), AccumulateError> {
        let Some(text) = self.arguments.remove(&index).filter(|text| !text.trim().is_empty())
        else {
            return Ok(());
        };
        let (id, name, arguments) = match self.steps.get_mut(&index) {
            Some(Step::FunctionCall(call)) => (&call.id, &call.name, &mut call.arguments),
            Some(Step::McpServerToolCall(call)) => (&call.id, &call.name, &mut call.arguments),
            _ => return Ok(()),
        };
        *arguments = serde_json::from_str(&text).map_err(|error| AccumulateError {
            call_id: Some(id.clone()),
            message: format!(
                "the arguments of `{name}` (step {index}) are not a JSON object: {error}"
            ),
        })?;
        Ok(())
    }
}

fn append_text(contents: &mut Vec<Content>, more: &str) {
    last_text(contents).text.push_str(more);
}

/// The text that further text continues: the last part if it is text, else a new one.
fn last_text(contents: &mut Vec<Content>) -> &mut Text {
    if !matches!(contents.last(), Some(Content::Text(_))) {
        contents.push(Content::text(""));
    }
    match contents.last_mut() {
        Some(Content::Text(text)) => text,
        _ => unreachable!("a text was pushed above if there was none"),
    }
}

/// The text that annotations belong to: the last one, though other parts may have followed it.
fn annotated_text(contents: &mut Vec<Content>) -> &mut Text {
    let index = contents.iter().rposition(|content| content.as_text().is_some());
    let index = index.unwrap_or_else(|| {
        contents.push(Content::text(""));
        contents.len() - 1
    });
    match &mut contents[index] {
        Content::Text(text) => text,
        _ => unreachable!("the index is that of a text"),
    }
}

/// A media delta has the fields of the content it makes.
#[expect(deprecated, reason = "what is deprecated still arrives")]
fn recast(delta: &Delta) -> Result<Content, AccumulateError> {
    let mut delta = delta.clone();
    if let Delta::Audio(audio) = &mut delta
        && let Some(rate) = audio.rate.take()
    {
        // Content lacks the former name, and the service refuses unknown fields in a history.
        audio.sample_rate.get_or_insert(rate);
    }
    let fault = |error: &dyn fmt::Display| {
        AccumulateError::new(format!("a `{}` delta: {error}", delta.kind()))
    };
    let value = serde_json::to_value(&delta).map_err(|error| fault(&error))?;
    reread(value).map_err(|error| fault(&error))
}

/// Lays the fields of a delta over those of the step that began empty.
fn merge(step: &Step, delta: &Delta) -> Result<Step, AccumulateError> {
    let lay = || -> Result<Value, serde_json::Error> {
        let mut whole: JsonObject = serde_json::from_value(serde_json::to_value(step)?)?;
        let more: JsonObject = serde_json::from_value(serde_json::to_value(delta)?)?;
        whole.extend(more.into_iter().filter(|(name, value)| match name.as_str() {
            // An empty signature announces one that was or will be sent elsewhere.
            "signature" => value.as_str() != Some(""),
            // Only the delta has a payload; its step is stored and replayed without.
            "result" => step.kind() != "file_search_result",
            _ => true,
        }));
        Ok(Value::Object(whole))
    };
    let fault = |error: &dyn fmt::Display| {
        AccumulateError::new(format!("a `{}` delta: {error}", delta.kind()))
    };
    let whole = lay().map_err(|error| fault(&error))?;
    reread(whole).map_err(|error| fault(&error))
}

/// Why an event does not fit what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccumulateError {
    message: String,
    call_id: Option<CallId>,
}

impl AccumulateError {
    fn new(message: String) -> Self {
        Self { message, call_id: None }
    }

    /// The call whose arguments are malformed, if that is what is wrong. It is left without any.
    #[must_use]
    pub fn call_id(&self) -> Option<&CallId> {
        self.call_id.as_ref()
    }
}

impl fmt::Display for AccumulateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for AccumulateError {}
