//! Structured output: an answer that has to fit a JSON Schema is checked before anybody sees it.
//!
//! A run whose request sets a schema holds the text of its answer back until the model is done.
//! What fits is shown and completes the run; what does not is given back to the model once, with
//! what is wrong about it, and never becomes part of the interaction: text that was sent could not
//! be taken back, and readers join the text of neighbouring steps.

mod effort;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use interactions_types::{
    Accumulator, CreateInteraction, Interaction, OneOrMany, ResponseFormat, Status, Step,
    StepDelta, StepStart, StepStop, TextFormatMimeType,
};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::nesting::Nesting;
use crate::error::Refusal;
use crate::model::{ModelError, ModelEvent};

/// How long it may take to read a schema, and to hold an answer against it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Schemas are the callers': none may keep the processor or the memory busy for long.
const LARGEST: usize = 256 * 1024;
const BACKTRACKING: usize = 100_000;
const PATTERN_BYTES: usize = 2 * 1024 * 1024;
/// How much is said about an answer that does not fit.
const MOST_VIOLATIONS: usize = 8;
const LONGEST_PATH: usize = 120;
const LONGEST_REASON: usize = 200;

/// The JSON Schema that the answer of a run has to fit.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    /// Where it stands in the request.
    path: String,
    json: Arc<Value>,
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    validator: Validator,
    /// See [`effort::reach`].
    reach: u32,
}

impl Schema {
    /// The schema of a request, if it has one.
    ///
    /// # Errors
    /// When what stands in its place is no JSON Schema, refers to something outside of itself,
    /// or is more than this server takes on.
    pub(super) async fn of(request: &CreateInteraction) -> Result<Option<Self>, Refusal> {
        let Some((path, schema)) = located(request)? else { return Ok(None) };
        if !schema.is_object() {
            return Err(Refusal::invalid(format!("`{path}` must be a JSON Schema object")));
        }
        if schema.to_string().len() > LARGEST {
            return Err(Refusal::invalid(format!(
                "`{path}` is larger than the {LARGEST} bytes that a schema may have"
            )));
        }
        let json = Arc::new(schema);
        let source = Arc::clone(&json);
        match aside(move || compiled(&source)).await {
            None => {
                Err(Refusal::invalid(format!("`{path}` is too complex; simplify its patterns")))
            }
            Some(Ok(compiled)) => Ok(Some(Self { path, json, compiled: Arc::new(compiled) })),
            Some(Err(Violation { path: place, reason })) => Err(Refusal::invalid(format!(
                "`{path}{}` is not usable as JSON Schema: {reason}",
                in_request(&place)
            ))),
        }
    }

    /// Whether a text is JSON that fits. The text counts as it stands, but for white space around it.
    pub(super) async fn check(&self, text: String) -> Result<(), Violations> {
        let (schema, compiled) = (Arc::clone(&self.json), Arc::clone(&self.compiled));
        let found = aside(move || violations(&schema, &compiled, &text))
            .await
            .unwrap_or_else(|| vec![Violation::of_whole("it takes too long to be checked")]);
        if found.is_empty() { Ok(()) } else { Err(Violations { schema: self.path.clone(), found }) }
    }
}

/// Does work whose amount others decide about, so that no run has to wait for it; `None` if it takes too long.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await.ok()?.ok()
}

fn compiled(schema: &Value) -> Result<Compiled, Violation> {
    let reach = effort::reach(schema)?;
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACKING)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES);
    let validator = jsonschema::options()
        .offline()
        .with_pattern_options(patterns)
        // Since 2019 `format` is a note for readers, and callers write it as one.
        .should_validate_formats(false)
        .build(schema)
        .map_err(|error| Violation::of(&error))?;
    Ok(Compiled { validator, reach })
}

/// The schema of a request with its path; the first text format counts, as for the models.
fn located(request: &CreateInteraction) -> Result<Option<(String, Value)>, Refusal> {
    let Some(formats) = &request.response_format else { return Ok(None) };
    for (at, format) in formats.as_slice().iter().enumerate() {
        let path = if matches!(formats, OneOrMany::Many(_)) {
            format!("response_format[{at}]")
        } else {
            "response_format".to_owned()
        };
        match format {
            ResponseFormat::Text(text) => {
                let Some(schema) = &text.schema else { return Ok(None) };
                if text.mime_type.as_ref().is_some_and(|kind| *kind != TextFormatMimeType::Json) {
                    return Err(Refusal::invalid(format!(
                        "`{path}.schema` goes with the `mime_type` application/json only"
                    )));
                }
                return Ok(Some((format!("{path}.schema"), schema.clone())));
            }
            ResponseFormat::Schema(schema) => {
                return Ok(Some((path, Value::Object(schema.clone()))));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn violations(schema: &Value, compiled: &Compiled, text: &str) -> Vec<Violation> {
    let Compiled { validator, reach } = compiled;
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if text.trim().is_empty() => return vec![Violation::of_whole("there is no text")],
        Err(error) => return vec![Violation::of_whole(&format!("it is not JSON: {error}"))],
    };
    if !effort::is_bearable(*reach, Nesting::of(text)) {
        return vec![Violation::of_whole("it is nested too deeply for this schema")];
    }
    if validator.is_valid(&value) {
        return Vec::new();
    }
    if !effort::is_small(schema, &value) {
        return vec![Violation::of_whole(
            "the schema is too entangled to say where it does not fit",
        )];
    }
    let errors = validator.iter_errors(&value).take(MOST_VIOLATIONS);
    let found: Vec<Violation> = errors.map(|error| Violation::of(&error)).collect();
    // What is not valid must never pass for want of words.
    if found.is_empty() { vec![Violation::of_whole("it does not fit the schema")] } else { found }
}

/// What is wrong with an answer, of bounded length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violations {
    /// Where the schema stands in the request.
    schema: String,
    found: Vec<Violation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    /// A JSON pointer; empty for the whole.
    path: String,
    reason: String,
}

impl Violation {
    fn of(error: &ValidationError<'_>) -> Self {
        Self::at(error.instance_path().as_str(), &error.to_string())
    }

    fn at(path: &str, reason: &str) -> Self {
        Self { path: shortened(path, LONGEST_PATH), reason: shortened(reason, LONGEST_REASON) }
    }

    fn of_whole(reason: &str) -> Self {
        Self::at("", reason)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason } = self;
        if path.is_empty() { f.write_str(reason) } else { write!(f, "`{path}`: {reason}") }
    }
}

impl Violations {
    /// What the model is asked for after an answer that does not fit.
    fn request(&self) -> String {
        let list: String = self.found.iter().map(|it| format!("- {it}\n")).collect();
        format!(
            "Your last answer does not fit the JSON Schema that was asked for:\n{list}\
             Answer again with the corrected JSON only: no explanation and no code fence."
        )
    }
}

impl From<Violations> for ModelError {
    fn from(violations: Violations) -> Self {
        let list: Vec<String> = violations.found.iter().map(ToString::to_string).collect();
        Self::permanent(
            "invalid_output",
            format!(
                "the model's answer does not fit `{}`, even after it was asked to correct it: {}",
                violations.schema,
                list.join("; ")
            ),
        )
    }
}

/// A second chance for the model: an answer that did not fit, and what it was told about it.
#[derive(Debug)]
pub(super) struct Repair {
    /// How many steps the run had made when the answer came.
    at: usize,
    steps: Vec<Step>,
}

impl Repair {
    pub(super) fn of(at: usize, answer: &str, violations: &Violations) -> Self {
        let told = Step::user_text(violations.request());
        // Some models refuse a turn of theirs that says nothing.
        let said = (!answer.trim().is_empty()).then(|| Step::model_text(answer));
        Self { at, steps: said.into_iter().chain([told]).collect() }
    }

    /// The steps of the run as the model has to see them.
    pub(super) fn told(&self, mut so_far: Vec<Step>) -> Vec<Step> {
        let at = self.at.min(so_far.len());
        so_far.splice(at..at, self.steps.iter().cloned());
        so_far
    }
}

/// The part of a generation that nobody has seen yet: from its first text on.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<ModelEvent>);

impl Held {
    /// Whether an event belongs here. A call does not: with it, the text before is no answer.
    pub(super) fn belongs(&self, event: &ModelEvent) -> bool {
        match event {
            ModelEvent::Start(Step::ModelOutput(_)) => true,
            ModelEvent::Start(Step::FunctionCall(_))
            | ModelEvent::Usage(_)
            | ModelEvent::Attached(_)
            | ModelEvent::Finish(_) => false,
            ModelEvent::Start(_) | ModelEvent::Delta(_) | ModelEvent::Stop => !self.0.is_empty(),
        }
    }

    pub(super) fn push(&mut self, event: ModelEvent) {
        self.0.push(event);
    }

    pub(super) fn take(&mut self) -> Vec<ModelEvent> {
        std::mem::take(&mut self.0)
    }

    /// What clients will take for the text of an interaction when this follows its steps.
    pub(super) fn output_text(&self, so_far: Vec<Step>) -> String {
        let mut interaction = Interaction::new("", Status::InProgress);
        interaction.steps = so_far;
        interaction.steps.extend(self.steps());
        interaction.output_text()
    }

    fn steps(&self) -> Vec<Step> {
        let mut accumulator = Accumulator::new();
        let mut index = -1;
        for event in &self.0 {
            let event = match event.clone() {
                ModelEvent::Start(step) => {
                    index += 1;
                    StepStart::new(index, step).into()
                }
                ModelEvent::Delta(delta) => StepDelta::new(index, delta).into(),
                _ => StepStop::new(index).into(),
            };
            // Only the arguments of calls can fail to accumulate.
            let _ = accumulator.push(&event);
        }
        accumulator.into_interaction().steps
    }
}

/// A JSON pointer in the notation of the other refusals.
fn in_request(pointer: &str) -> String {
    let segments = pointer.split('/').skip(1).map(|segment| {
        let name = segment.replace("~1", "/").replace("~0", "~");
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("[{name}]")
        } else {
            format!(".{name}")
        }
    });
    segments.collect()
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}
