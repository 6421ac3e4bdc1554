//! What the end of an interaction gives cause to tell, and whom.

use interactions_types::{
    ApiError, CreateInteraction, InteractionFault, InteractionId, InteractionReference, JsonObject,
    Status, WebhookEvent, WebhookEventType,
};
use serde_json::Value;

use crate::clock;

/// The end of one interaction, as webhooks hear of it.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) kind: WebhookEventType,
    pub(crate) payload: String,
    /// The addresses that the request has named; they take the place of the tenant's webhooks.
    pub(crate) uris: Vec<String>,
}

impl Announcement {
    /// The end of a background interaction; `None` when nobody is to be told.
    pub(crate) fn of(
        id: &InteractionId,
        request: &CreateInteraction,
        status: &Status,
        errors: &[ApiError],
        now: i64,
    ) -> Option<Self> {
        if request.background != Some(true) {
            return None;
        }
        let kind = match status {
            Status::Completed | Status::Incomplete | Status::BudgetExceeded => {
                WebhookEventType::InteractionCompleted
            }
            Status::RequiresAction => WebhookEventType::InteractionRequiresAction,
            Status::Failed => WebhookEventType::InteractionFailed,
            Status::Cancelled => WebhookEventType::InteractionCancelled,
            _ => return None,
        };
        let data = if *status == Status::Failed {
            let mut fault = InteractionFault::new(id);
            if let Some(error) = errors.last() {
                fault.error_code.clone_from(&error.code);
                fault.error_message.clone_from(&error.message);
            }
            serde_json::to_value(fault)
        } else {
            serde_json::to_value(InteractionReference::new(id))
        };
        let config = request.webhook_config.as_ref();
        let metadata = config.and_then(|config| config.user_metadata.as_ref());
        let payload = payload(kind.as_str(), &data.unwrap_or_default(), metadata, now);
        let uris = config.and_then(|config| config.uris.clone()).unwrap_or_default();
        Some(Self { kind, payload, uris })
    }
}

/// The body of a delivery.
pub(crate) fn payload(
    kind: &str,
    data: &Value,
    user_metadata: Option<&JsonObject>,
    now: i64,
) -> String {
    let mut body = serde_json::json!({
        "type": kind,
        "version": "v1",
        "timestamp": clock::rfc3339(now),
        "data": data,
    });
    if let Some(metadata) = user_metadata {
        body["user_metadata"] = serde_json::json!(metadata);
    }
    debug_assert!(serde_json::from_value::<WebhookEvent>(body.clone()).is_ok());
    body.to_string()
}
