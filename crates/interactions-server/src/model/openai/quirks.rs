//! What servers of chat completions turn out not to take, learned from how they refuse.
//!
//! There is no way to ask them beforehand. So a request is first written as it should be; when a
//! server refuses it and names a part that can be said differently, it is asked again without it,
//! and for that model from then on.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Callers choose model ids, so what is remembered has an end.
const REMEMBERED: usize = 256;

/// One thing that a server does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quirk {
    /// No `stream_options`; then usage may be missing.
    StreamOptions,
    /// No `reasoning_effort`.
    ReasoningEffort,
    /// No `json_schema`; the schema is told in words, and the format is `json_object`.
    JsonSchema,
    /// No `response_format` at all.
    ResponseFormat,
    /// The token limit has its newer name only.
    NewTokenLimit,
    /// Sampling has fixed values: no `temperature` and `top_p`.
    Sampling,
}

/// What is known of the models of one server.
#[derive(Debug, Default)]
pub(super) struct Quirks(Mutex<HashMap<String, BTreeSet<Quirk>>>);

impl Quirks {
    /// What a model is known not to take.
    pub(super) fn of(&self, model: &str) -> BTreeSet<Quirk> {
        self.lock().get(model).cloned().unwrap_or_default()
    }

    pub(super) fn learn(&self, model: &str, quirk: Quirk) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED && !known.contains_key(model) {
            known.clear();
        }
        known.entry(model.to_owned()).or_default().insert(quirk);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, BTreeSet<Quirk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Quirk {
    /// What a refusal teaches about the request that was refused.
    pub(super) fn behind(refusal: &str, body: &Value) -> Option<Self> {
        let refusal = refusal.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| refusal.contains(word));
        let has = |field: &str| body.get(field).is_some();
        let format = body["response_format"]["type"].as_str();
        if has("stream_options") && says(&["stream_options"]) {
            Some(Self::StreamOptions)
        } else if has("reasoning_effort")
            && says(&["reasoning_effort", "reasoning effort", "think"])
        {
            Some(Self::ReasoningEffort)
        } else if has("max_tokens") && says(&["max_completion_tokens"]) {
            Some(Self::NewTokenLimit)
        } else if format == Some("json_schema")
            && says(&["json_schema", "response_format", "schema", "grammar"])
        {
            Some(Self::JsonSchema)
        } else if format.is_some() && says(&["json_object", "response_format"]) {
            Some(Self::ResponseFormat)
        } else if (has("temperature") || has("top_p")) && says(&["temperature", "top_p"]) {
            Some(Self::Sampling)
        } else {
            None
        }
    }

    /// Writes a request so that this is not needed.
    pub(super) fn avoid(self, body: &mut Value) {
        let Some(fields) = body.as_object_mut() else { return };
        match self {
            Self::StreamOptions => drop(fields.remove("stream_options")),
            Self::ReasoningEffort => drop(fields.remove("reasoning_effort")),
            Self::Sampling => {
                fields.remove("temperature");
                fields.remove("top_p");
            }
            Self::NewTokenLimit => {
                if let Some(limit) = fields.remove("max_tokens") {
                    fields.insert("max_completion_tokens".to_owned(), limit);
                }
            }
            Self::JsonSchema => {
                let Some(format) = fields.get_mut("response_format") else { return };
                let Some(schema) = format.pointer("/json_schema/schema").cloned() else { return };
                *format = json!({"type": "json_object"});
                let words = format!(
                    "Answer with one JSON value and nothing else, valid against this JSON Schema:\n{schema}"
                );
                instruct(fields, &words);
            }
            Self::ResponseFormat => {
                let format = fields.remove("response_format").unwrap_or_default();
                // A schema has been told in words already: this is learned after that.
                if format["type"] == "json_object" {
                    instruct(fields, "Answer with one JSON value and nothing else.");
                }
            }
        }
    }
}

/// Adds to what the model should keep to.
fn instruct(fields: &mut serde_json::Map<String, Value>, words: &str) {
    let Some(messages) = fields.get_mut("messages").and_then(Value::as_array_mut) else { return };
    match messages.first_mut().filter(|first| first["role"] == "system") {
        Some(system) => {
            let before = system["content"].as_str().unwrap_or_default();
            system["content"] = json!(format!("{before}\n\n{words}"));
        }
        None => messages.insert(0, json!({"role": "system", "content": words})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "messages": [{"role": "user", "content": "x"}],
            "stream_options": {"include_usage": true},
            "reasoning_effort": "low",
            "max_tokens": 5,
            "temperature": 0.5,
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array"}}},
        })
    }

    #[test]
    fn refusals_of_real_servers_are_understood() {
        for (refusal, quirk) in [
            ("Unrecognized request argument supplied: stream_options", Quirk::StreamOptions),
            ("\"gemma3\" does not support thinking", Quirk::ReasoningEffort),
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                Quirk::NewTokenLimit,
            ),
            ("'response_format.type' must be 'json_object' or 'text'", Quirk::JsonSchema),
            ("failed to parse grammar", Quirk::JsonSchema),
            ("Unsupported value: 'temperature' does not support 0.5", Quirk::Sampling),
        ] {
            assert_eq!(Quirk::behind(refusal, &request()), Some(quirk), "{refusal}");
        }
        for other in ["the context is too long", "\"gemma3\" does not support tools"] {
            assert_eq!(Quirk::behind(other, &request()), None, "{other}");
        }
        assert_eq!(Quirk::behind("stream_options", &json!({})), None, "it was not sent");
    }

    #[test]
    fn a_schema_that_is_not_taken_is_told_in_words() {
        let mut body = request();
        Quirk::JsonSchema.avoid(&mut body);
        assert_eq!(body["response_format"], json!({"type": "json_object"}));
        let words = body["messages"][0]["content"].as_str().unwrap();
        assert!(words.contains(r#"{"type":"array"}"#), "{words}");
        Quirk::ResponseFormat.avoid(&mut body);
        assert_eq!(body.get("response_format"), None);
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        Quirk::NewTokenLimit.avoid(&mut body);
        assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(5), None));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let quirks = Quirks::default();
        for number in 0..10_000 {
            quirks.learn(&format!("m{number}"), Quirk::Sampling);
        }
        assert!(quirks.lock().len() <= REMEMBERED);
        assert_eq!(quirks.of("m9999"), BTreeSet::from([Quirk::Sampling]));
    }
}
