//! Webhooks: addresses that the service tells of the end of long work.

mod event;

use crate::wire::{object, open_enum};
use crate::{PageToken, WebhookId};

pub use event::{
    BatchCancelledEvent, BatchExpiredEvent, BatchFailedEvent, BatchFault, BatchOutput,
    BatchReference, BatchSucceededEvent, InteractionCancelledEvent, InteractionCompletedEvent,
    InteractionFailedEvent, InteractionFault, InteractionReference, InteractionRequiresActionEvent,
    VideoGeneratedEvent, VideoReference, WebhookEvent,
};

object! {
    /// The body of `POST /webhooks`.
    ///
    /// ```
    /// use interactions_types::{WebhookEventType, WebhookInput};
    ///
    /// let events = vec![WebhookEventType::InteractionCompleted, WebhookEventType::InteractionFailed];
    /// let webhook = WebhookInput::new(events, "https://example.com/hook").name("ci");
    /// assert_eq!(serde_json::to_value(&webhook)?["subscribed_events"][0], "interaction.completed");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct WebhookInput {
        required {
            /// What to tell of.
            subscribed_events: Vec<WebhookEventType>,
            /// The address.
            uri: String,
        }
        optional {
            /// A name for people.
            name: String,
        }
    }
}

object! {
    /// A registered webhook.
    pub struct Webhook {
        required {
            /// What it is told of.
            subscribed_events: Vec<WebhookEventType>,
            /// The address.
            uri: String,
        }
        optional {
            /// Its id.
            id: WebhookId,
            /// A name for people.
            name: String,
            /// Whether it is told.
            state: WebhookState,
            /// The secret that signs its events. Only the reply to creating it has this.
            new_signing_secret: String as secret,
            /// The secrets in force, cut short.
            signing_secrets: Vec<SigningSecret>,
            /// When it was registered, RFC 3339.
            create_time: String,
            /// When it last changed, RFC 3339.
            update_time: String,
        }
    }
}

object! {
    /// A secret that signs events, cut short.
    pub struct SigningSecret {
        required {}
        optional {
            /// Enough of the secret to know it by.
            truncated_secret: String,
            /// When it ceases to sign, RFC 3339.
            expire_time: String,
        }
    }
}

open_enum! {
    /// Something that a webhook is told of.
    pub enum WebhookEventType {
        /// A batch job ended well.
        BatchSucceeded = "batch.succeeded",
        /// A batch job did not end in time.
        BatchExpired = "batch.expired",
        /// A batch job ended by an error.
        BatchFailed = "batch.failed",
        /// A batch job was cancelled. Not every version of the service has it.
        BatchCancelled = "batch.cancelled",
        /// An interaction waits for results of function calls.
        InteractionRequiresAction = "interaction.requires_action",
        /// An interaction ended well.
        InteractionCompleted = "interaction.completed",
        /// An interaction ended by an error.
        InteractionFailed = "interaction.failed",
        /// An interaction was cancelled. Not every version of the service has it.
        InteractionCancelled = "interaction.cancelled",
        /// A video is ready.
        VideoGenerated = "video.generated",
    }
}

open_enum! {
    /// Whether a webhook is told of events.
    pub enum WebhookState {
        /// It is.
        Enabled = "enabled",
        /// It is not, because someone said so.
        Disabled = "disabled",
        /// It is not, because it failed to answer too often.
        DisabledDueToFailedDeliveries = "disabled_due_to_failed_deliveries",
    }
}

object! {
    /// The body of `PATCH /webhooks/{id}`.
    pub struct WebhookUpdate {
        required {}
        optional {
            /// A name for people.
            name: String,
            /// Whether it is told.
            state: WebhookState,
            /// What to tell of.
            subscribed_events: Vec<WebhookEventType>,
            /// The address.
            uri: String,
        }
    }
}

object! {
    /// The reply of `GET /webhooks`.
    pub struct WebhookListResponse {
        required {}
        default {
            /// The webhooks of this page.
            webhooks: Vec<Webhook>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}

object! {
    /// The body of `POST /webhooks/{id}:rotateSigningSecret`.
    pub struct RotateSigningSecretRequest {
        required {}
        optional {
            /// What becomes of the former secrets; absent, they sign for a day more.
            revocation_behavior: RevocationBehavior,
        }
    }
}

open_enum! {
    /// What becomes of the former secrets when there is a new one.
    pub enum RevocationBehavior {
        /// They sign for a day more.
        RevokePreviousSecretsAfterH24 = "revoke_previous_secrets_after_h24",
        /// They cease to sign at once.
        RevokePreviousSecretsImmediately = "revoke_previous_secrets_immediately",
    }
}

object! {
    /// The reply of `POST /webhooks/{id}:rotateSigningSecret`.
    pub struct WebhookRotateSigningSecretResponse {
        required {
            /// The new secret, shown this once. Secret.
            secret: String as secret,
        }
    }
}
