//! Where to report the end of background work.

use crate::JsonObject;
use crate::wire::object;

object! {
    /// Where to report the end of background work.
    pub struct WebhookConfig {
        required {}
        optional {
            /// The addresses; they get the events instead of the registered webhooks.
            uris: Vec<String>,
            /// The caller's own data, repeated in each event.
            user_metadata: JsonObject,
        }
    }
}
