//! Webhooks as callers manage them, and the deliveries that an ending causes.

use interactions_types::{
    ApiError, CreateInteraction, InteractionId, Status, Webhook, WebhookEventType, WebhookInput,
    WebhookState, WebhookUpdate,
};
use serde_json::json;

use super::{Engine, new_id};
use crate::error::Refusal;
use crate::store::{NewDelivery, StoreError, WebhookRecord};
use crate::webhooks::{Announcement, SigningSecrets, payload};
use crate::{clock, coverage};

/// How many addresses one request may name.
const MOST_URIS: usize = 10;
/// How many webhooks a tenant may have: each ending reads them all.
const MOST_WEBHOOKS: u32 = 100;
/// How often a change is tried anew when others are quicker.
const CHANGE_TRIES: u32 = 16;

impl Engine {
    /// What is to be delivered because an interaction has ended so.
    pub(super) async fn announce(
        &self,
        tenant: &str,
        id: &InteractionId,
        request: &CreateInteraction,
        status: &Status,
        errors: &[ApiError],
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let now = clock::now();
        let Some(told) = Announcement::of(id, request, status, errors, now) else {
            return Ok(Vec::new());
        };
        let deliver = |webhook: Option<String>, uri: String| {
            NewDelivery::new(new_id("msg_"), webhook, uri, told.payload.clone())
        };
        if !told.uris.is_empty() {
            return Ok(told.uris.iter().map(|uri| deliver(None, uri.clone())).collect());
        }
        let webhooks = self.store.enabled_webhooks(tenant).await?;
        let subscribed = webhooks.into_iter().filter(|it| it.events.contains(&told.kind));
        Ok(subscribed.map(|webhook| deliver(Some(webhook.id), webhook.uri)).collect())
    }

    pub(crate) async fn create_webhook(
        &self,
        tenant: &str,
        input: WebhookInput,
    ) -> Result<Webhook, Refusal> {
        coverage::check(&input, |_| false)?;
        check_events(&input.subscribed_events)?;
        self.check_uri("uri", &input.uri)?;
        let known = self.store.webhooks(tenant, "", MOST_WEBHOOKS).await?;
        if known.len() >= MOST_WEBHOOKS as usize {
            return Err(Refusal::precondition(format!(
                "there are {MOST_WEBHOOKS} webhooks already; delete one first"
            )));
        }
        let secrets = SigningSecrets::generate().ok_or_else(no_secret)?;
        let sealed = secrets.seal(&self.vault).ok_or_else(no_secret)?;
        let (id, now) = (new_id("wh_"), clock::now());
        let mut record = WebhookRecord::new(id, input.uri, input.subscribed_events, sealed, now);
        record.name = input.name;
        self.store.add_webhook(tenant, &record).await?;
        let mut shown = self.shown_webhook(record);
        shown.new_signing_secret = Some(secrets.newest().into());
        Ok(shown)
    }

    pub(crate) async fn webhook(&self, tenant: &str, id: &str) -> Result<Webhook, Refusal> {
        Ok(self.shown_webhook(self.webhook_record(tenant, id).await?))
    }

    /// Webhooks in the order of their ids after `after`, and whether there are more.
    pub(crate) async fn list_webhooks(
        &self,
        tenant: &str,
        after: &str,
        size: u32,
    ) -> Result<(Vec<Webhook>, bool), Refusal> {
        let mut records = self.store.webhooks(tenant, after, size + 1).await?;
        let more = records.len() > size as usize;
        records.truncate(size as usize);
        Ok((records.into_iter().map(|record| self.shown_webhook(record)).collect(), more))
    }

    /// Changes the fields that the update has, and the mask names if there is one.
    pub(crate) async fn update_webhook(
        &self,
        tenant: &str,
        id: &str,
        update: WebhookUpdate,
        mask: Option<&[&str]>,
    ) -> Result<Webhook, Refusal> {
        coverage::check(&update, |_| false)?;
        const FIELDS: [&str; 4] = ["name", "state", "subscribed_events", "uri"];
        if let Some(unknown) = mask.into_iter().flatten().find(|name| !FIELDS.contains(name)) {
            return Err(Refusal::invalid(format!(
                "`update_mask`: '{unknown}' cannot be changed; what can: {}",
                FIELDS.join(", ")
            )));
        }
        let wanted = |name: &str| mask.is_none_or(|mask| mask.contains(&name));
        let uri = update.uri.filter(|_| wanted("uri"));
        if let Some(uri) = &uri {
            self.check_uri("uri", uri)?;
        }
        let events = update.subscribed_events.filter(|_| wanted("subscribed_events"));
        if let Some(events) = &events {
            check_events(events)?;
        }
        let state = update.state.filter(|_| wanted("state"));
        if !matches!(state, None | Some(WebhookState::Enabled | WebhookState::Disabled)) {
            return Err(Refusal::invalid("`state` can be set to enabled or disabled only"));
        }
        let named = wanted("name") && (update.name.is_some() || mask.is_some());
        let record = self.change_webhook(tenant, id, |record| {
            record.uri = uri.clone().unwrap_or_else(|| record.uri.clone());
            record.events = events.clone().unwrap_or_else(|| record.events.clone());
            record.state = state.clone().unwrap_or_else(|| record.state.clone());
            if named {
                record.name.clone_from(&update.name);
            }
            Ok(())
        });
        Ok(self.shown_webhook(record.await?))
    }

    /// Changes a webhook; what others change at the same time stays.
    async fn change_webhook(
        &self,
        tenant: &str,
        id: &str,
        mut change: impl FnMut(&mut WebhookRecord) -> Result<(), Refusal>,
    ) -> Result<WebhookRecord, Refusal> {
        for _ in 0..CHANGE_TRIES {
            let before = self.webhook_record(tenant, id).await?;
            let mut record = before.clone();
            change(&mut record)?;
            record.updated = clock::now();
            if self.store.update_webhook(tenant, &before, &record).await? {
                return Ok(record);
            }
        }
        Err(Refusal::unavailable("others keep changing this webhook; try again"))
    }

    pub(crate) async fn delete_webhook(&self, tenant: &str, id: &str) -> Result<(), Refusal> {
        match self.store.remove_webhook(tenant, id).await? {
            true => Ok(()),
            false => Err(unknown(id)),
        }
    }

    /// Delivers a test event at once, whatever the webhook is subscribed to.
    pub(crate) async fn ping_webhook(&self, tenant: &str, id: &str) -> Result<(), Refusal> {
        let record = self.webhook_record(tenant, id).await?;
        let secrets = SigningSecrets::open(&self.vault, &record.secrets).ok_or_else(sealed)?;
        let data = json!({"id": record.id});
        let body = payload("webhook.ping", &data, None, clock::now());
        let what = NewDelivery::new(new_id("msg_"), Some(record.id), record.uri, body);
        self.outbox.send(&what, Some(&secrets)).await.map_err(|refused| {
            Refusal::precondition(format!("the webhook has not taken the ping: {refused}"))
        })
    }

    /// Makes a new signing secret, which only this answer has.
    pub(crate) async fn rotate_secret(
        &self,
        tenant: &str,
        id: &str,
        revokes_at_once: bool,
    ) -> Result<String, Refusal> {
        let mut newest = String::new();
        let change = self.change_webhook(tenant, id, |record| {
            let opened = SigningSecrets::open(&self.vault, &record.secrets);
            let mut secrets = opened.ok_or_else(sealed)?;
            secrets.rotate(revokes_at_once).ok_or_else(no_secret)?;
            record.secrets = secrets.seal(&self.vault).ok_or_else(no_secret)?;
            secrets.newest().clone_into(&mut newest);
            Ok(())
        });
        change.await?;
        Ok(newest)
    }

    /// Refuses addresses of a request that could never be delivered to.
    pub(super) fn check_webhook_config(&self, request: &CreateInteraction) -> Result<(), Refusal> {
        let Some(config) = &request.webhook_config else { return Ok(()) };
        if request.background != Some(true) {
            return Err(Refusal::invalid("`webhook_config` needs `background: true`"));
        }
        let uris = config.uris.as_deref().unwrap_or_default();
        if uris.len() > MOST_URIS {
            return Err(Refusal::invalid(format!(
                "`webhook_config.uris` may have {MOST_URIS} addresses at most"
            )));
        }
        for (index, uri) in uris.iter().enumerate() {
            self.check_uri(&format!("webhook_config.uris[{index}]"), uri)?;
        }
        Ok(())
    }

    fn check_uri(&self, field: &str, uri: &str) -> Result<(), Refusal> {
        self.guard.check(uri).map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            let why = why.unwrap_or_else(|| error.to_string());
            Refusal::invalid(format!("`{field}` cannot be delivered to: {why}"))
        })
    }

    async fn webhook_record(&self, tenant: &str, id: &str) -> Result<WebhookRecord, Refusal> {
        self.store.webhook(tenant, id).await?.ok_or_else(|| unknown(id))
    }

    fn shown_webhook(&self, record: WebhookRecord) -> Webhook {
        let mut shown = Webhook::new(record.events, record.uri).id(record.id);
        shown.name = record.name;
        shown.state = Some(record.state);
        shown.create_time = Some(clock::rfc3339(record.created));
        shown.update_time = Some(clock::rfc3339(record.updated));
        shown.signing_secrets =
            SigningSecrets::open(&self.vault, &record.secrets).map(|secrets| secrets.shown());
        shown
    }
}

fn check_events(events: &[WebhookEventType]) -> Result<(), Refusal> {
    if events.is_empty() {
        return Err(Refusal::invalid("`subscribed_events` must name at least one event"));
    }
    Ok(())
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no webhook {id}"))
}

fn no_secret() -> Refusal {
    Refusal::unavailable("no signing secret can be made at the moment; try again")
}

fn sealed() -> Refusal {
    Refusal::unavailable("the webhook's secrets cannot be opened with this server's key")
}
