//! The corpus: what the service's documents and its replies look like, as files.

use std::fmt;

use interactions_transport::sse::Decoder;
use interactions_types::{Accumulator, Interaction, StreamEvent, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One file of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fixture {
    /// The file's name. `req_` are bodies of requests, `resp_` replies, `stream_` transcripts of
    /// events, `error_` error replies, `webhook_` deliveries.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! corpus {
    ($($name:literal),* $(,)?) => {
        &[$(Fixture { name: $name, text: include_str!(concat!("../fixtures/", $name)) }),*]
    };
}

/// The whole corpus, by name.
pub const FIXTURES: &[Fixture] = corpus![
    "content_all_variants.json",
    "content_oas_examples.json",
    "environment_config_oas_examples.json",
    "error_google_rpc_style.json",
    "error_invalid_request.json",
    "error_legacy_array_404.json",
    "error_legacy_schema.json",
    "list_vertex.json",
    "req_agent_antigravity_env.json",
    "req_agent_deep_research.json",
    "req_agent_reuse_env.json",
    "req_agent_reuse_env_chained.json",
    "req_agent_with_sources.json",
    "req_agents_create.json",
    "req_agents_create_fork_env.json",
    "req_all_tools.json",
    "req_background.json",
    "req_background_webhook.json",
    "req_continuation_hop_stateful.json",
    "req_continuation_hop_stateless.json",
    "req_create_function_calling.json",
    "req_create_multi_turn_steps.json",
    "req_create_multimodal_content_list.json",
    "req_create_simple.json",
    "req_create_single_content.json",
    "req_credentials_create.json",
    "req_credentials_update.json",
    "req_decisions_create.json",
    "req_environments_copy.json",
    "req_environments_create.json",
    "req_function_result_object.json",
    "req_function_result_stateful.json",
    "req_function_result_string_error.json",
    "req_image_output.json",
    "req_response_format_array.json",
    "req_stateless_full_history.json",
    "req_structured_output.json",
    "req_thinking.json",
    "req_tool_choice_string.json",
    "req_triggers_create.json",
    "req_triggers_update.json",
    "req_voices_create.json",
    "req_webhooks_create.json",
    "req_webhooks_rotate.json",
    "req_webhooks_update.json",
    "resp_agent_environment.json",
    "resp_agent_reuse_env.json",
    "resp_agents_get.json",
    "resp_agents_list.json",
    "resp_agents_list_oas.json",
    "resp_background_initial.json",
    "resp_cancel_gemini.json",
    "resp_cancel_vertex.json",
    "resp_credentials_list.json",
    "resp_decision.json",
    "resp_decision_blocked.json",
    "resp_deep_research.json",
    "resp_delete_empty.json",
    "resp_environment.json",
    "resp_environment_file_get.json",
    "resp_environment_files_list.json",
    "resp_environments_list.json",
    "resp_failed_with_errors.json",
    "resp_get_no_user_input.json",
    "resp_get_with_user_input.json",
    "resp_google_search.json",
    "resp_image_input.json",
    "resp_incomplete.json",
    "resp_multi_turn.json",
    "resp_requires_action.json",
    "resp_requires_continuation.json",
    "resp_simple.json",
    "resp_thought_and_text.json",
    "resp_trigger_executions_list.json",
    "resp_triggers_list.json",
    "resp_voices_list.json",
    "resp_webhook_created.json",
    "resp_webhook_secret_rotated.json",
    "resp_webhooks_list.json",
    "response_format_oas_examples.json",
    "steps_all_variants.json",
    "steps_oas_examples.json",
    "stream_agent.sse",
    "stream_all_delta_types.sse",
    "stream_background_event_ids.sse",
    "stream_error.sse",
    "stream_error_not_found.sse",
    "stream_image.sse",
    "stream_oas_event_examples.sse",
    "stream_requires_continuation.sse",
    "stream_step_start_with_content.sse",
    "stream_step_stop_usage.sse",
    "stream_text.sse",
    "stream_thought_summary.sse",
    "stream_tools_requires_action.sse",
    "stream_vertex_completed_event_id_nested.sse",
    "webhook_event_batch_succeeded.json",
    "webhook_event_interaction_completed.json",
    "webhook_event_interaction_failed.json",
    "webhook_events_all_kinds.json",
];

/// The fixtures whose names begin so.
pub fn fixtures(prefix: &str) -> impl Iterator<Item = &'static Fixture> {
    FIXTURES.iter().filter(move |fixture| fixture.name.starts_with(prefix))
}

/// Checks that nothing of a JSON text is lost when it goes through a type.
///
/// ```
/// use interactions_testing::{check_roundtrip, fixtures};
/// use interactions_types::Interaction;
///
/// for fixture in fixtures("resp_simple") {
///     let reply: Interaction = check_roundtrip(fixture.text)?;
///     assert!(!reply.output_text().is_empty());
/// }
/// assert_eq!(fixtures("resp_simple").count(), 1);
/// # Ok::<(), interactions_testing::CheckError>(())
/// ```
///
/// # Errors
/// [`CheckError`] when it does not decode, or does not come back equal.
pub fn check_roundtrip<T: DeserializeOwned + Serialize>(json: &str) -> Result<T, CheckError> {
    let decoded: T = decode(json.as_bytes()).map_err(|error| CheckError(error.to_string()))?;
    let parse = |text: &str| serde_json::from_str::<Value>(text);
    let broken = |error: serde_json::Error| CheckError(error.to_string());
    let before = parse(json).map_err(broken)?;
    let after = serde_json::to_value(&decoded).map_err(broken)?;
    match difference(&before, &after, String::new()) {
        None => Ok(decoded),
        Some(place) => Err(CheckError(format!("it does not come back equal at `{place}`"))),
    }
}

/// Checks a transcript of events: each is read and written without loss, they fit together,
/// and the last of them completes the interaction.
///
/// # Errors
/// [`CheckError`] with the number of the event that is wrong.
pub fn check_events(transcript: &str) -> Result<Interaction, CheckError> {
    let mut decoder = Decoder::new();
    decoder.push(transcript.as_bytes());
    let mut accumulator = Accumulator::new();
    let mut number = 0;
    while let Some(frame) = decoder.next_frame() {
        number += 1;
        let at = |what: String| CheckError(format!("event {number}: {what}"));
        let frame = frame.map_err(|error| at(error.to_string()))?;
        if frame.is_done() {
            break;
        }
        let event = StreamEvent::decode(frame.event(), frame.data())
            .map_err(|error| at(error.to_string()))?;
        let text = String::from_utf8_lossy(frame.data());
        check_roundtrip::<StreamEvent>(&text).map_err(|CheckError(why)| at(why))?;
        accumulator.push(&event).map_err(|error| at(error.to_string()))?;
    }
    if !accumulator.is_complete() {
        return Err(CheckError("there is no `interaction.completed`".to_owned()));
    }
    Ok(accumulator.into_interaction())
}

/// Whether two values are the same JSON.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    difference(a, b, String::new()).is_none()
}

/// Where two values differ first. Numbers are compared as JSON means them: `1` is `1.0`.
fn difference(a: &Value, b: &Value, place: String) -> Option<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            let mut names = names.map(|name| (name, a.get(name), b.get(name)));
            names.find_map(|(name, a, b)| {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match (a, b) {
                    (Some(a), Some(b)) => difference(a, b, place),
                    _ => Some(place),
                }
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| difference(a, b, format!("{place}[{index}]")))
        }
        // Only where one is written as a fraction: large integers are not all floats.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            (a.as_f64() != b.as_f64()).then_some(place)
        }
        (a, b) => (a != b).then_some(place),
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError(pub(crate) String);

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CheckError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_what_the_folder_has() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".md"))
            .collect();
        names.sort();
        let known: Vec<&str> = FIXTURES.iter().map(|fixture| fixture.name).collect();
        assert_eq!(known, names);
    }

    #[test]
    fn losses_are_found_with_their_place() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Forgetful {
            a: Vec<Value>,
        }
        assert!(check_roundtrip::<Forgetful>(r#"{"a": [1, {"b": 2.0}]}"#).is_ok());
        let error = check_roundtrip::<Forgetful>(r#"{"a": [], "b": 1}"#).err().unwrap();
        assert!(error.to_string().contains("`b`"), "{error}");
        let numbers = |a, b| difference(&a, &b, "n".to_owned()).is_none();
        assert!(numbers(Value::from(1), serde_json::json!(1.0)));
        assert!(!numbers(Value::from(1), serde_json::json!(1.5)));
        let large = 9_007_199_254_740_993_i64;
        assert!(!numbers(Value::from(large), Value::from(large - 1)), "they are one float");
        assert_eq!(
            difference(
                &serde_json::json!({"a": [1, {"b": 2}]}),
                &serde_json::json!({"a": [1, {"b": 3}]}),
                String::new()
            ),
            Some("a[1].b".to_owned())
        );
    }

    #[test]
    fn transcripts_are_checked_event_by_event() {
        for name in ["stream_text.sse", "stream_thought_summary.sse", "stream_image.sse"] {
            let fixture = fixtures(name).next().unwrap();
            check_events(fixture.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let lone = "data: {\"event_type\":\"step.stop\",\"index\":0}\n\n";
        assert!(check_events(lone).unwrap_err().to_string().contains("interaction.completed"));
        let wrong = "data: {\"event_type\":\"step.stop\",\"index\":\"x\"}\n\n";
        assert!(check_events(wrong).unwrap_err().to_string().starts_with("event 1"));
    }
}
