//! Webhooks as resources; what they deliver is another matter.

use http::Method;
use interactions_types::{
    Empty, RevocationBehavior, RotateSigningSecretRequest, Webhook, WebhookId, WebhookInput,
    WebhookListResponse, WebhookRotateSigningSecretResponse, WebhookUpdate,
};

use crate::{Call, Client, Listing};

/// The calls on webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks(pub(crate) Client);

impl Webhooks {
    /// Registers an address. The reply is the only one that has the signing secret.
    pub fn create(&self, webhook: &WebhookInput) -> Call<Webhook> {
        Call::new(&self.0, "create_webhook", Method::POST, &["webhooks"]).json(webhook)
    }

    /// Reads a webhook.
    pub fn get(&self, id: impl Into<WebhookId>) -> Call<Webhook> {
        Call::new(&self.0, "get_webhook", Method::GET, &["webhooks", id.into().as_str()])
    }

    /// Changes the fields that the update sets.
    pub fn update(&self, id: impl Into<WebhookId>, update: &WebhookUpdate) -> Call<Webhook> {
        let path = ["webhooks", &String::from(id.into())];
        Call::new(&self.0, "update_webhook", Method::PATCH, &path).json(update).masked()
    }

    /// Lists webhooks.
    pub fn list(&self) -> Listing<WebhookListResponse> {
        Listing::of(&self.0, "list_webhooks", &["webhooks"])
    }

    /// Removes a webhook.
    pub fn delete(&self, id: impl Into<WebhookId>) -> Call<()> {
        Call::silent(&self.0, "delete_webhook", Method::DELETE, &["webhooks", id.into().as_str()])
    }

    /// Has the service deliver a test event.
    pub fn ping(&self, id: impl Into<WebhookId>) -> Call<Empty> {
        let path = ["webhooks", &format!("{}:ping", id.into())];
        Call::new(&self.0, "ping_webhook", Method::POST, &path).json(&Empty::new())
    }

    /// Makes a new signing secret, which only this reply has.
    ///
    /// The old ones hold for another 24 hours unless they are revoked at once; verify by both
    /// until then.
    pub fn rotate_signing_secret(
        &self,
        id: impl Into<WebhookId>,
        old: Option<RevocationBehavior>,
    ) -> Call<WebhookRotateSigningSecretResponse> {
        let path = ["webhooks", &format!("{}:rotateSigningSecret", id.into())];
        let mut request = RotateSigningSecretRequest::new();
        request.revocation_behavior = old;
        Call::new(&self.0, "rotate_signing_secret", Method::POST, &path).json(&request)
    }
}
