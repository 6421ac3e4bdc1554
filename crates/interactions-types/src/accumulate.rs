//! From events back to an interaction.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::{Content, Delta, Interaction, JsonObject, Status, Step, StreamEvent, Text};

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
                self.merge_final(&event.interaction);
                self.complete = true;
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
    fn merge_final(&mut self, last: &Interaction) {
        let mut merged = last.clone();
        let known = &self.interaction;
        macro_rules! keep {
            ($($field:ident),*) => { $(
                if merged.$field.is_none() { merged.$field.clone_from(&known.$field); }
            )* };
        }
        keep!(
            object,
            model,
            agent,
            created,
            updated,
            usage,
            previous_interaction_id,
            environment_id,
            service_tier
        );
        if merged.errors.is_none() {
            merged.errors.clone_from(&known.errors);
        }
        if merged.id.as_str().is_empty() {
            merged.id.clone_from(&known.id);
        }
        if !merged.steps.is_empty() {
            self.steps = std::mem::take(&mut merged.steps)
                .into_iter()
                .zip(0..)
                .map(|(s, i)| (i, s))
                .collect();
        }
        self.interaction = merged;
    }

    fn grow(&mut self, index: i64, delta: &Delta) -> Result<(), AccumulateError> {
        let Some(step) = self.steps.get_mut(&index) else {
            return Err(AccumulateError(format!(
                "a `{}` delta for step {index}, which has not started",
                delta.kind()
            )));
        };
        match (step, delta) {
            (Step::ModelOutput(output), Delta::Text(delta)) => {
                append_text(&mut output.content, &delta.text);
            }
            (Step::ModelOutput(output), Delta::TextAnnotation(delta)) => {
                let text = last_text(&mut output.content);
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
            (Step::Thought(thought), Delta::ThoughtSignature(delta)) => {
                thought.signature.clone_from(&delta.signature);
            }
            (Step::FunctionCall(_), Delta::Arguments(delta)) => {
                let text = self.arguments.entry(index).or_default();
                text.push_str(delta.arguments.as_deref().unwrap_or_default());
            }
            // Tools of the service send their whole payload in one delta named like the step.
            (step, delta) if step.kind() == delta.kind() => *step = merge(step, delta)?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, index: i64) -> Result<(), AccumulateError> {
        let Some(text) = self.arguments.remove(&index).filter(|text| !text.trim().is_empty())
        else {
            return Ok(());
        };
        let Some(Step::FunctionCall(call)) = self.steps.get_mut(&index) else {
            return Ok(());
        };
        call.arguments = serde_json::from_str(&text).map_err(|error| {
            AccumulateError(format!(
                "the arguments of `{}` (step {index}) are not a JSON object: {error}",
                call.name
            ))
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

/// A media delta has the fields of the content it makes.
fn recast(delta: &Delta) -> Result<Content, AccumulateError> {
    let convert = || serde_json::from_value(serde_json::to_value(delta)?);
    convert().map_err(|error: serde_json::Error| {
        AccumulateError(format!("a `{}` delta: {error}", delta.kind()))
    })
}

/// Lays the fields of a delta over those of the step that began empty.
fn merge(step: &Step, delta: &Delta) -> Result<Step, AccumulateError> {
    let convert = || {
        let mut whole: JsonObject = serde_json::from_value(serde_json::to_value(step)?)?;
        let more: JsonObject = serde_json::from_value(serde_json::to_value(delta)?)?;
        whole.extend(more.into_iter().filter(|(name, value)| {
            // An empty signature announces one that was or will be sent elsewhere.
            !(name == "signature" && value.as_str() == Some(""))
        }));
        serde_json::from_value(Value::Object(whole))
    };
    convert().map_err(|error: serde_json::Error| {
        AccumulateError(format!("a `{}` delta: {error}", delta.kind()))
    })
}

/// Why an event does not fit what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccumulateError(String);

impl fmt::Display for AccumulateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for AccumulateError {}
