//! Webhooks, and what is still to be delivered to them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use interactions_types::{WebhookEventType, WebhookState};

use super::StoreError;

/// Durable storage of webhooks and of an outbox.
///
/// Deliveries come into it with the [`Ending`](super::Ending) that they tell of.
#[async_trait]
pub trait WebhookStore {
    /// Adds a webhook.
    async fn add_webhook(&self, tenant: &str, webhook: &WebhookRecord) -> Result<(), StoreError>;

    /// Reads a webhook.
    async fn webhook(&self, tenant: &str, id: &str) -> Result<Option<WebhookRecord>, StoreError>;

    /// Reads webhooks in the order of their ids, from the first one after `after`.
    async fn webhooks(
        &self,
        tenant: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<WebhookRecord>, StoreError>;

    /// Writes a webhook anew; false when it is not there, or not as it was `before`.
    async fn update_webhook(
        &self,
        tenant: &str,
        before: &WebhookRecord,
        webhook: &WebhookRecord,
    ) -> Result<bool, StoreError>;

    /// Removes a webhook; false when there is none.
    async fn remove_webhook(&self, tenant: &str, id: &str) -> Result<bool, StoreError>;

    /// Reads the webhooks that are to be told of events.
    async fn enabled_webhooks(&self, tenant: &str) -> Result<Vec<WebhookRecord>, StoreError>;

    /// Takes deliveries that are due and nobody works at, the longest due first, but none that
    /// `busy` names.
    async fn claim_deliveries(
        &self,
        owner: &str,
        lease_for: Duration,
        busy: &Busy,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Strikes a delivery off: it has arrived, or nobody is to get it any more.
    async fn settle(&self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Puts a delivery off until `due`.
    async fn put_off(&self, delivery: &Delivery, due: i64) -> Result<(), StoreError>;

    /// Strikes a delivery off that cannot be made, and disables its webhook.
    async fn give_up(&self, delivery: &Delivery, now: i64) -> Result<(), StoreError>;

    /// Reads the keys that sign deliveries to addresses of requests, newest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError>;

    /// Adds such a key if there is none yet.
    async fn add_first_signing_key(&self, key: &SigningKeyRecord) -> Result<(), StoreError>;
}

/// A webhook as it is stored.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct WebhookRecord {
    /// Its id.
    pub id: String,
    /// The address.
    pub uri: String,
    /// A name for people.
    pub name: Option<String>,
    /// What it is told of.
    pub events: Vec<WebhookEventType>,
    /// Whether it is told.
    pub state: WebhookState,
    /// The secrets that sign, sealed.
    pub secrets: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

impl WebhookRecord {
    /// A webhook that is told of these events from now on.
    #[must_use]
    pub fn new(
        id: String,
        uri: String,
        events: Vec<WebhookEventType>,
        secrets: Vec<u8>,
        now: i64,
    ) -> Self {
        let state = WebhookState::Enabled;
        Self { id, uri, name: None, events, state, secrets, created: now, updated: now }
    }
}

impl fmt::Debug for WebhookRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookRecord")
            .field("id", &self.id)
            .field("events", &self.events)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Something to be told, once to each address.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct NewDelivery {
    /// The `webhook-id`, by which receivers know what they have had.
    pub id: String,
    /// The webhook; absent for an address that a request has named.
    pub webhook: Option<String>,
    /// The address.
    pub uri: String,
    /// The body, JSON.
    pub payload: String,
}

impl NewDelivery {
    /// A body for an address.
    #[must_use]
    pub fn new(id: String, webhook: Option<String>, uri: String, payload: String) -> Self {
        Self { id, webhook, uri, payload }
    }
}

impl fmt::Debug for NewDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDelivery")
            .field("id", &self.id)
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// A delivery that somebody works at.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// What is told, and to whom.
    pub what: NewDelivery,
    /// Whose it is.
    pub tenant: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When it was first due, in milliseconds since 1970.
    pub created: i64,
}

impl Delivery {
    /// A delivery at a try.
    #[must_use]
    pub fn new(what: NewDelivery, tenant: String, attempt: u32, created: i64) -> Self {
        Self { what, tenant, attempt, created }
    }
}

/// Who gets no more deliveries for the moment, so that others do not wait for them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Busy {
    /// Tenants with many deliveries under way.
    pub tenants: Vec<String>,
    /// Addresses with several deliveries under way.
    pub uris: Vec<String>,
}

impl Busy {
    /// These tenants and addresses.
    #[must_use]
    pub fn new(tenants: Vec<String>, uris: Vec<String>) -> Self {
        Self { tenants, uris }
    }
}

/// A key pair, its private half sealed.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct SigningKeyRecord {
    /// Its id (`kid`).
    pub id: String,
    /// The private half, PKCS #8, sealed.
    pub private: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

impl SigningKeyRecord {
    /// A sealed key under its id.
    #[must_use]
    pub fn new(id: String, private: Vec<u8>, created: i64) -> Self {
        Self { id, private, created }
    }
}

impl fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRecord").field("id", &self.id).finish_non_exhaustive()
    }
}
