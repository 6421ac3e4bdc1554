//! Every fixture decodes into its type and encodes to an equal JSON value.

use std::fmt::Debug;

use expect_test::expect;
use interactions_types::{
    Agent, AgentListResponse, ApiError, Content, CreateDecisionRequest, CreateDecisionResponse,
    CreateEnvironmentRequest, CreateInteraction, CreateVoiceRequest, CredentialConfig,
    CredentialListResponse, CredentialUpdateConfig, Empty, Environment, EnvironmentConfig,
    GetEnvironmentFilesResponse, Inspect, Interaction, ListEnvironmentsResponse,
    ListInteractionsResponse, ListTriggerExecutionsResponse, ListTriggersResponse,
    ListVoicesResponse, ResponseFormat, RotateSigningSecretRequest, Step, StreamEvent,
    TriggerCreateParams, TriggerUpdate, Unmodelled, Webhook, WebhookEvent, WebhookInput,
    WebhookListResponse, WebhookRotateSigningSecretResponse, WebhookUpdate, decode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::support::{fixture, fixtures, frames, normal};

#[test]
fn every_fixture_survives() {
    let mut beyond = String::new();
    for name in fixtures(".json") {
        let text = fixture(&name);
        let found =
            resource_survives(&name, &text).unwrap_or_else(|| interaction_survives(&name, &text));
        for found in found {
            beyond += &format!("{name} {}\n", found.path());
        }
    }
    // Documents that contradict their own schema, and what front ends add.
    expect![[r#"
        error_google_rpc_style.json code
        error_google_rpc_style.json status
        error_legacy_array_404.json code
        error_legacy_array_404.json status
        resp_agents_get.json created
        resp_agents_get.json display_name
        resp_agents_get.json object
        resp_agents_get.json updated
        resp_agents_list_oas.json object
        resp_agents_list_oas.json data[0].created
        resp_agents_list_oas.json data[0].display_name
        resp_agents_list_oas.json data[0].object
        resp_agents_list_oas.json data[0].updated
        steps_oas_examples.json [2].arguments.query
        steps_oas_examples.json [3].result[0].title
        steps_oas_examples.json [3].result[0].url
        steps_oas_examples.json [3].result[0].snippet
        steps_oas_examples.json [5].result[0].title
        steps_oas_examples.json [5].result[0].snippet
        steps_oas_examples.json [6].arguments.latitude
        steps_oas_examples.json [6].arguments.longitude
        steps_oas_examples.json [7].result[0].name
        steps_oas_examples.json [7].result[0].place_id
        steps_oas_examples.json [7].result[0].rating
    "#]]
    .assert_eq(&beyond);
}

/// What the model lacked of a fixture of interactions.
fn interaction_survives(name: &str, text: &str) -> Vec<Unmodelled> {
    match name {
        // Not of the wire.
        "schema.json" => Vec::new(),
        "steps_oas_examples.json" => survives::<Vec<Step>>(name, text),
        "content_oas_examples.json" => survives::<Vec<Content>>(name, text),
        "response_format_oas_examples.json" => survives::<Vec<ResponseFormat>>(name, text),
        "environment_config_oas_examples.json" => survives::<Vec<EnvironmentConfig>>(name, text),
        "steps_all_variants.json" | "content_all_variants.json" => {
            survives::<Interaction>(name, text)
        }
        "error_legacy_array_404.json" => {
            survives::<ApiError>(name, &part(text, |body| body[0].get("error")))
        }
        other if other.starts_with("error_") => {
            survives::<ApiError>(name, &part(text, |body| body.get("error")))
        }
        other if other.starts_with("req_") => survives::<CreateInteraction>(name, text),
        other if other.starts_with("resp_") => survives::<Interaction>(name, text),
        other => panic!("{other}: say here which type it has"),
    }
}

/// What the model lacked of a fixture of a resource other than interactions.
fn resource_survives(name: &str, text: &str) -> Option<Vec<Unmodelled>> {
    let survives = match name {
        "list_vertex.json" => survives::<ListInteractionsResponse>,
        "req_agents_create.json" | "req_agents_create_fork_env.json" | "resp_agents_get.json" => {
            survives::<Agent>
        }
        "req_credentials_create.json" => survives::<Vec<CredentialConfig>>,
        "req_credentials_update.json" => survives::<Vec<CredentialUpdateConfig>>,
        "req_decisions_create.json" => survives::<CreateDecisionRequest>,
        "req_environments_copy.json" | "req_environments_create.json" => {
            survives::<CreateEnvironmentRequest>
        }
        "req_triggers_create.json" => survives::<TriggerCreateParams>,
        "req_triggers_update.json" => survives::<TriggerUpdate>,
        "req_voices_create.json" => survives::<Vec<CreateVoiceRequest>>,
        "req_webhooks_create.json" => survives::<WebhookInput>,
        "req_webhooks_rotate.json" => survives::<RotateSigningSecretRequest>,
        "req_webhooks_update.json" => survives::<WebhookUpdate>,
        "resp_agents_list.json" | "resp_agents_list_oas.json" => survives::<AgentListResponse>,
        "resp_credentials_list.json" => survives::<CredentialListResponse>,
        "resp_decision.json" | "resp_decision_blocked.json" => survives::<CreateDecisionResponse>,
        "resp_delete_empty.json" => survives::<Empty>,
        "resp_environment.json" => survives::<Environment>,
        "resp_environment_file_get.json" | "resp_environment_files_list.json" => {
            survives::<GetEnvironmentFilesResponse>
        }
        "resp_environments_list.json" => survives::<ListEnvironmentsResponse>,
        "resp_trigger_executions_list.json" => survives::<ListTriggerExecutionsResponse>,
        "resp_triggers_list.json" => survives::<ListTriggersResponse>,
        "resp_voices_list.json" => survives::<ListVoicesResponse>,
        "resp_webhook_created.json" => survives::<Webhook>,
        "resp_webhook_secret_rotated.json" => survives::<WebhookRotateSigningSecretResponse>,
        "resp_webhooks_list.json" => survives::<WebhookListResponse>,
        "webhook_events_all_kinds.json" => survives::<Vec<WebhookEvent>>,
        event if event.starts_with("webhook_event_") => survives::<WebhookEvent>,
        _ => return None,
    };
    Some(survives(name, text))
}

#[test]
fn every_transcript_survives() {
    let mut beyond = String::new();
    for name in fixtures(".sse") {
        for frame in frames(&fixture(&name)) {
            for found in survives::<StreamEvent>(&name, &frame.data) {
                beyond += &format!("{name} {}\n", found.path());
            }
        }
    }
    expect![[r#"
        stream_vertex_completed_event_id_nested.sse interaction.event_id
    "#]]
    .assert_eq(&beyond);
}

/// The `event:` line makes decoding faster and changes nothing.
#[test]
fn the_event_name_changes_nothing() {
    for name in fixtures(".sse") {
        for frame in frames(&fixture(&name)) {
            let data = frame.data.as_bytes();
            let plain = StreamEvent::decode(None, data).unwrap();
            assert_eq!(frame.event.as_deref(), Some(plain.kind()), "{name}");
            for event in StreamEvent::KNOWN.iter().copied().chain(["message", "step.novel", ""]) {
                assert_eq!(
                    StreamEvent::decode(Some(event), data).unwrap(),
                    plain,
                    "{name} {event}"
                );
            }
        }
    }
}

#[test]
fn the_event_name_stands_in_for_a_missing_one() {
    let data = br#"{"index":0,"delta":{"type":"text","text":"a"}}"#;
    let event = StreamEvent::decode(Some("step.delta"), data).unwrap();
    assert_eq!(event.kind(), "step.delta");
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"a"}}"#
    );
    let error = StreamEvent::decode(None, data).unwrap_err();
    assert_eq!(error.to_string(), "missing field `event_type`");
}

#[test]
fn errors_with_a_number_as_code_survive_in_a_stream() {
    let data = br#"{"event_type":"error","error":{"code":503,"message":"overloaded"}}"#;
    let event = StreamEvent::decode(Some("error"), data).unwrap();
    let StreamEvent::Error(event) = event else { panic!("{event:?}") };
    let error = event.error.unwrap();
    assert_eq!((error.code.as_deref(), error.to_string().as_str()), (None, "overloaded"));
    assert_eq!(error.extra.field("code"), Some(&Value::from(503)));
}

fn part(text: &str, pick: impl Fn(&Value) -> Option<&Value>) -> String {
    let body: Value = serde_json::from_str(text).unwrap();
    pick(&body).unwrap().to_string()
}

/// Decodes and encodes, and returns what the model lacked.
fn survives<T: DeserializeOwned + Serialize + Inspect + PartialEq + Debug>(
    name: &str,
    text: &str,
) -> Vec<Unmodelled> {
    let original: Value = serde_json::from_str(text).unwrap();
    let value: T = decode(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let encoded = serde_json::to_value(&value).unwrap();
    assert_eq!(normal(&encoded), normal(&original), "{name}");
    let again: T = serde_json::from_value(original).unwrap();
    assert_eq!(again, value, "{name}: reading a value and reading text differ");
    value.unmodelled()
}
