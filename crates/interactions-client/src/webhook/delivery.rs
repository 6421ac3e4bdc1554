//! A delivery that was verified.

use std::time::SystemTime;

use bytes::Bytes;
use interactions_types::{DecodeError, WebhookEvent, decode};

/// A delivery whose sender is known.
#[derive(Clone, Debug)]
pub struct Delivery {
    id: String,
    timestamp: SystemTime,
    body: Bytes,
}

impl Delivery {
    pub(super) fn new(id: &str, timestamp: SystemTime, body: &[u8]) -> Self {
        Self { id: id.to_owned(), timestamp, body: Bytes::copy_from_slice(body) }
    }

    /// The delivery's id (`webhook-id`), the same when it is repeated; empty if it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was sent, by the service's clock.
    #[must_use]
    pub fn timestamp(&self) -> SystemTime {
        self.timestamp
    }

    /// What happened. Kinds that this version does not know come as they are.
    ///
    /// # Errors
    /// When the body is not an event.
    pub fn event(&self) -> Result<WebhookEvent, DecodeError> {
        decode(&self.body)
    }

    /// The body as it was sent.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}
