//! Fixtures, and equality of JSON values as JSON means it.

use std::fs;
use std::path::{Path, PathBuf};

use interactions_types::StreamEvent;
use serde_json::Value;

/// The corpus belongs to the testing crate, which hands it to users too.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../interactions-testing/fixtures")
}

/// A fixture's text.
pub(crate) fn fixture(name: &str) -> String {
    let path = corpus().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The service's own schema, in the form of OpenAPI.
pub(crate) fn schema() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schema.json");
    fs::read_to_string(path).unwrap()
}

/// The names of the fixtures that end so, sorted.
pub(crate) fn fixtures(extension: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(extension))
        .collect();
    names.sort();
    names
}

/// One frame of a transcript: the name in its `event:` line, and its data.
pub(crate) struct Frame {
    pub(crate) event: Option<String>,
    pub(crate) data: String,
}

/// Splits a transcript. Fixtures keep to one `event:` and one `data:` line per frame.
pub(crate) fn frames(transcript: &str) -> Vec<Frame> {
    let frame = |block: &str| {
        let line = |prefix: &str| block.lines().find_map(|line| line.strip_prefix(prefix));
        Some(Frame { event: line("event: ").map(str::to_owned), data: line("data: ")?.to_owned() })
    };
    transcript.split("\n\n").filter_map(frame).filter(|frame| frame.data != "[DONE]").collect()
}

/// The events of a transcript.
pub(crate) fn events(transcript: &str) -> Vec<StreamEvent> {
    frames(transcript)
        .iter()
        .map(|frame| StreamEvent::decode(frame.event.as_deref(), frame.data.as_bytes()).unwrap())
        .collect()
}

/// The value with one spelling for each number: JSON does not tell `1` from `1.0`.
pub(crate) fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.clone(), normal(value))).collect()
        }
        other => other.clone(),
    }
}
