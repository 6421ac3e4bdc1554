//! What the service posts to webhooks.
//!
//! An event says what happened to what, and little more: the receiver asks for the rest by the id.

use crate::wire::{object, union};
use crate::{BatchId, InteractionId, JsonObject};

union! {
    /// The body that the service posts to a webhook (`type` tells what happened).
    ///
    /// ```
    /// use interactions_types::{WebhookEvent, decode};
    ///
    /// let event: WebhookEvent = decode(br#"{
    ///     "type": "interaction.completed", "version": "v1", "timestamp": "2026-11-22T12:00:00Z",
    ///     "data": {"id": "v1_x"}
    /// }"#)?;
    /// assert_eq!(event.interaction_id().map(|id| id.as_str()), Some("v1_x"));
    /// # Ok::<(), interactions_types::DecodeError>(())
    /// ```
    pub enum WebhookEvent by "type" {
        /// A batch job ended well.
        BatchSucceeded(BatchSucceededEvent) = "batch.succeeded",
        /// A batch job did not end in time.
        BatchExpired(BatchExpiredEvent) = "batch.expired",
        /// A batch job ended by an error.
        BatchFailed(BatchFailedEvent) = "batch.failed",
        /// A batch job was cancelled.
        BatchCancelled(BatchCancelledEvent) = "batch.cancelled",
        /// An interaction waits for results of function calls.
        InteractionRequiresAction(InteractionRequiresActionEvent) = "interaction.requires_action",
        /// An interaction ended well.
        InteractionCompleted(InteractionCompletedEvent) = "interaction.completed",
        /// An interaction ended by an error.
        InteractionFailed(InteractionFailedEvent) = "interaction.failed",
        /// An interaction was cancelled.
        InteractionCancelled(InteractionCancelledEvent) = "interaction.cancelled",
        /// A video is ready.
        VideoGenerated(VideoGeneratedEvent) = "video.generated",
    }
}

impl WebhookEvent {
    /// The interaction that it is about, if it is about one.
    #[must_use]
    pub fn interaction_id(&self) -> Option<&InteractionId> {
        match self {
            Self::InteractionRequiresAction(event) => Some(&event.data.id),
            Self::InteractionCompleted(event) => Some(&event.data.id),
            Self::InteractionFailed(event) => Some(&event.data.id),
            Self::InteractionCancelled(event) => Some(&event.data.id),
            _ => None,
        }
    }
}

/// Every event has the same envelope around its own data.
macro_rules! events {
    ($( $(#[$meta:meta])* $name:ident = $tag:literal, $data:ty; )*) => { $(
        object! {
            $(#[$meta])*
            pub struct $name as "type" = $tag {
                required {
                    /// When it happened, RFC 3339.
                    timestamp: String,
                    /// What it happened to.
                    data: $data,
                }
                optional {
                    /// The version of the envelope, `v1`.
                    version: String,
                    /// The data that the request's `webhook_config` held.
                    user_metadata: JsonObject,
                }
            }
        }
    )* };
}

events! {
    /// A batch job ended well.
    BatchSucceededEvent = "batch.succeeded", BatchOutput;
    /// A batch job did not end in time.
    BatchExpiredEvent = "batch.expired", BatchReference;
    /// A batch job ended by an error.
    BatchFailedEvent = "batch.failed", BatchFault;
    /// A batch job was cancelled.
    BatchCancelledEvent = "batch.cancelled", BatchReference;
    /// An interaction waits for results of function calls.
    InteractionRequiresActionEvent = "interaction.requires_action", InteractionReference;
    /// An interaction ended well.
    InteractionCompletedEvent = "interaction.completed", InteractionReference;
    /// An interaction ended by an error.
    InteractionFailedEvent = "interaction.failed", InteractionFault;
    /// An interaction was cancelled.
    InteractionCancelledEvent = "interaction.cancelled", InteractionReference;
    /// A video is ready.
    VideoGeneratedEvent = "video.generated", VideoReference;
}

object! {
    /// An interaction.
    pub struct InteractionReference {
        required {
            /// Its id.
            id: InteractionId,
        }
    }
}

object! {
    /// An interaction and what went wrong.
    pub struct InteractionFault {
        required {
            /// Its id.
            id: InteractionId,
        }
        optional {
            /// What went wrong, as a word.
            error_code: String,
            /// What went wrong, for people.
            error_message: String,
        }
    }
}

object! {
    /// A batch job.
    pub struct BatchReference {
        required {
            /// Its id.
            id: BatchId,
        }
    }
}

object! {
    /// A batch job and its results.
    pub struct BatchOutput {
        required {
            /// Its id.
            id: BatchId,
        }
        optional {
            /// Where the results are.
            output_file_uri: String,
        }
    }
}

object! {
    /// A batch job and what went wrong.
    pub struct BatchFault {
        required {
            /// Its id.
            id: BatchId,
        }
        optional {
            /// What went wrong, as a word.
            error_code: String,
            /// What went wrong, for people.
            error_message: String,
        }
    }
}

object! {
    /// A video that was made.
    pub struct VideoReference {
        required {
            /// The id of the operation that made it.
            id: String,
        }
        optional {
            /// Where the video is.
            output_file_uri: String,
            /// The name of its file.
            file_name: String,
        }
    }
}
