//! Answers of a type.

use std::time::Instant;

use interactions_types::{Input, ResponseFormat, TextResponseFormat};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::function::schema;
use crate::{Agent, AgentError, Outcome};

/// How often a model may correct an answer that does not fit.
const REPAIRS: u32 = 2;

/// An answer of a type, and the run that led to it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Typed<T> {
    /// The answer.
    pub value: T,
    /// The run; with corrections, the last one, and the cost of all.
    pub outcome: Outcome,
}

impl Agent {
    /// Runs to an answer of a type, by its JSON Schema in `response_format`.
    ///
    /// An answer that does not fit is given back to the model with the place and the fault, twice at most.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`AgentError::Setup`] when the answer never fits, or when the run
    /// waits for somebody.
    pub async fn run_typed<T: DeserializeOwned + JsonSchema>(
        &self,
        input: impl Into<Input>,
    ) -> Result<Typed<T>, AgentError> {
        let format = ResponseFormat::from(TextResponseFormat::json(schema::<T>()));
        let mut agent = self.changed(|settings| settings.response_format = Some(format.into()));
        let began = Instant::now();
        let mut outcome = agent.run(input).await?;
        for _ in 0..REPAIRS {
            let Err(fault) = read::<T>(&outcome)? else { break };
            // One run to its reader, so its limits are those of all of it.
            let rest = self.0.limits.after(&outcome, began.elapsed());
            agent = agent.after(&outcome).changed(|settings| settings.limits = rest);
            let told = format!(
                "That answer does not fit: {fault}. Answer again with JSON that fits, and nothing else."
            );
            let before = outcome;
            outcome = match agent.run(told).await {
                Ok(outcome) => outcome.with_earlier(&before),
                Err(error) => return Err(error.with_earlier(&before)),
            };
        }
        match read(&outcome)? {
            Ok(value) => Ok(Typed { value, outcome }),
            Err(fault) => {
                Err(AgentError::setup(format!("the answer does not fit: {fault}"), outcome))
            }
        }
    }
}

/// The answer, or what is wrong with it.
fn read<T: DeserializeOwned>(outcome: &Outcome) -> Result<Result<T, String>, AgentError> {
    if outcome.paused().is_some() {
        let why = "the run waits for somebody; use `stream` and `resume` for runs that do";
        return Err(AgentError::setup(why, outcome.clone()));
    }
    let text = outcome.output_text();
    let mut reader = serde_json::Deserializer::from_str(&text);
    Ok(serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("at `{path}`: ") };
        format!("{place}{}", error.inner())
    }))
}
