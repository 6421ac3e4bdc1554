//! Decoding JSON with errors that say where.

use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::place::place;

/// Decodes a value from JSON text.
///
/// The good path costs what `serde_json::from_slice` costs;
/// only after a failure is the text decoded a second time to find the place.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or a known part of it is malformed.
///
/// ```
/// use interactions_types::{Interaction, decode};
///
/// let error = decode::<Interaction>(br#"{"steps": [{"type": "thought", "summary": 7}]}"#).unwrap_err();
/// assert_eq!(error.path(), "steps[0].summary");
/// ```
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    // Checked once as a whole, text need not be checked again piece by piece.
    let text = std::str::from_utf8(json).map_err(|error| not_json(&error))?;
    serde_json::from_str(text).map_err(|first| match serde_json::from_str(text) {
        Ok(value) => locate::<T>(value, &first),
        // Unions report whatever fails inside them as malformed data, broken JSON too.
        Err(error) => not_json(&error),
    })
}

/// Decodes a value from JSON that has been parsed already.
///
/// Reading one text twice, first as JSON and then as a type, is better done by [`decode`] alone;
/// this is for JSON that never was a text, or was changed.
///
/// # Errors
/// [`DecodeError`] when a known part of it is malformed.
///
/// ```
/// use interactions_types::{Step, decode_value};
/// use serde_json::json;
///
/// let step: Step = decode_value(&json!({"type": "thought", "signature": "c2ln"}))?;
/// assert_eq!(step.kind(), "thought");
/// # Ok::<(), interactions_types::DecodeError>(())
/// ```
pub fn decode_value<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    reread(value.clone()).map_err(|first| locate::<T>(value.clone(), &first))
}

/// Reads a `T` from a value that was held back until its type was known.
///
/// Every form of reader makes a copy of the whole data model in the program.
/// There are two: JSON text, and this.
pub(crate) fn reread<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

fn not_json(error: &impl fmt::Display) -> DecodeError {
    DecodeError { path: String::new(), message: format!("not valid JSON: {error}") }
}

/// Finds where the fault is: the text is read once more, in an order that gives the place away.
fn locate<T: DeserializeOwned>(value: Value, first: &serde_json::Error) -> DecodeError {
    let text = tags_first(value).to_string();
    match serde_json::from_str::<T>(&text) {
        Err(error) => {
            let message = error.to_string();
            let path = place(&text, error.column());
            DecodeError { path, message: without_position(&message) }
        }
        // A value holds each key once, so it is a repeated key that was refused.
        Ok(_) => DecodeError { path: String::new(), message: first.to_string() },
    }
}

/// The line and column are those of a text that nobody has seen.
fn without_position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

/// Moves every tag to the front of its object.
///
/// A union holds back what comes before its tag, and places inside that are not tracked.
fn tags_first(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(tags_first).collect(),
        Value::Object(object) => {
            let (mut tags, rest): (Map<_, _>, Map<_, _>) = object
                .into_iter()
                .map(|(name, value)| (name, tags_first(value)))
                .partition(|(name, _)| name == "type" || name == "event_type");
            tags.extend(rest);
            Value::Object(tags)
        }
        other => other,
    }
}

/// Why some JSON could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    path: String,
    message: String,
}

impl DecodeError {
    /// Where the malformed part is, for example `steps[0].content[1].text`; empty for the whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path, self.message)
        }
    }
}

impl Error for DecodeError {}
