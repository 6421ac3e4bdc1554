//! Resources: what their types promise beyond their form.

use interactions_types::*;
use serde_json::Value;

use crate::support::fixture;

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&fixture(name)).unwrap()
}

#[test]
fn secrets_are_not_shown() {
    let shown = [
        format!("{:?}", read::<Vec<CredentialConfig>>("req_credentials_create.json")),
        format!("{:?}", read::<Vec<CredentialUpdateConfig>>("req_credentials_update.json")),
        format!("{:?}", read::<ListVoicesResponse>("resp_voices_list.json")),
        format!("{:?}", read::<Webhook>("resp_webhook_created.json")),
        format!(
            "{:?}",
            read::<WebhookRotateSigningSecretResponse>("resp_webhook_secret_rotated.json")
        ),
    ];
    for shown in shown {
        assert!(shown.contains("[secret]"), "{shown}");
        assert!(!shown.contains("example-secret") && !shown.contains("whsec_"), "{shown}");
    }
}

#[test]
fn events_about_interactions_name_them() {
    let events: Vec<WebhookEvent> = read("webhook_events_all_kinds.json");
    for event in &events {
        let about_one = event.kind().starts_with("interaction.");
        assert_eq!(event.interaction_id().is_some(), about_one, "{event:?}");
    }
    // Whatever can happen can be subscribed to.
    let kinds: Vec<&str> = events.iter().map(WebhookEvent::kind).collect();
    assert_eq!(kinds, WebhookEventType::KNOWN);
    let novel: WebhookEvent =
        serde_json::from_str(r#"{"type": "interaction.novel", "data": {"id": "v1_x"}}"#).unwrap();
    assert_eq!(novel.interaction_id(), None);
}

#[test]
fn numbers_of_files_come_as_text_and_as_numbers() {
    for text in [r#"{"id":"e","size_bytes":"22"}"#, r#"{"id":"e","size_bytes":22}"#] {
        let environment: Environment = serde_json::from_str(text).unwrap();
        assert_eq!(environment.size_bytes.map(Int64::value), Some(22));
        assert_eq!(serde_json::to_string(&environment).unwrap(), text);
    }
}

#[test]
fn queries_are_flat() {
    let queries = [
        serde_json::to_value(ListQuery::new().page_size(5).page_token("p2")),
        serde_json::to_value(ListAgentsQuery::new().page_size(5).parent("p")),
        serde_json::to_value(ListTriggersQuery::new().filter("f").page_token("p2")),
        serde_json::to_value(GetEnvironmentFilesQuery::new().recursive(true).alt("media")),
        serde_json::to_value(UploadEnvironmentFileQuery::new().overwrite(true).extract(false)),
        serde_json::to_value(UpdateQuery::new().update_mask("name,state")),
    ];
    for query in queries {
        let query = query.unwrap();
        let scalar = |value: &Value| !value.is_null() && !value.is_array() && !value.is_object();
        assert!(query.as_object().unwrap().values().all(scalar), "{query}");
    }
}
