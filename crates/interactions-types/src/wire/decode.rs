//! Decoding JSON with errors that say where.

use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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
    match serde_json::from_slice(json) {
        Ok(value) => Ok(value),
        Err(error) if error.is_data() => Err(locate::<T>(json, &error)),
        Err(error) => Err(not_json(&error)),
    }
}

fn not_json(error: &serde_json::Error) -> DecodeError {
    DecodeError { path: String::new(), message: format!("not valid JSON: {error}") }
}

fn locate<T: DeserializeOwned>(json: &[u8], first: &serde_json::Error) -> DecodeError {
    let value = match serde_json::from_slice::<Value>(json) {
        Ok(value) => value,
        // Unions report whatever fails inside them as malformed data, broken JSON too.
        Err(error) => return not_json(&error),
    };
    match serde_path_to_error::deserialize::<_, T>(tags_first(value)) {
        Err(error) => {
            let path = match error.path().to_string() {
                path if path == "." => String::new(),
                path => path,
            };
            let message = error.into_inner().to_string();
            deeper(&path, &message).unwrap_or(DecodeError { path, message })
        }
        // A value holds each key once, so it is a repeated key that was refused.
        Ok(_) => DecodeError { path: String::new(), message: first.to_string() },
    }
}

const FIRST: &str = "in the first element, at `";

/// A fault in the first element of a list that had to be read whole, with its place in there.
pub(crate) fn in_first(path: &str, fault: &impl fmt::Display) -> String {
    format!("{FIRST}{path}`: {fault}")
}

/// Joins the place of a list and the place in its first element, if that is where the fault is.
fn deeper(path: &str, message: &str) -> Option<DecodeError> {
    let (_, rest) = message.split_once(FIRST)?;
    let (inner, message) = rest.split_once("`: ")?;
    let inner = if inner == "." { String::new() } else { format!(".{inner}") };
    Some(DecodeError { path: format!("{path}[0]{inner}"), message: message.to_owned() })
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
