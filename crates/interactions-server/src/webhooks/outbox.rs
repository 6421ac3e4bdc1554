//! The outbox: deliveries are tried until they arrive, or until nobody can be expected to wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use interactions_transport::{
    Body, SharedTransport, Timeouts, Transport, TransportErrorKind, redact_url,
};
use interactions_types::WebhookState;
use tokio::sync::{Notify, RwLock};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{SigningKey, SigningSecrets, make_key, signature};
use crate::WebhooksConfig;
use crate::clock;
use crate::secrets::{Vault, random};
use crate::store::{
    Busy, Delivery, NewDelivery, SigningKeyRecord, Store, StoreError, StoreErrorKind,
};

/// How many deliveries are made side by side.
const AT_ONCE: usize = 48;
/// How many of them for one tenant, and to one address, before others come first: a receiver that
/// hangs holds up itself, not its neighbours.
const AT_ONCE_PER_TENANT: usize = 16;
const AT_ONCE_PER_ADDRESS: usize = 4;
/// How many are claimed at a time; few, because a claim does not count as it goes.
const CLAIM: usize = 4;
/// How often the outbox is looked at when nothing calls: other processes fill it too.
const LOOK: Duration = Duration::from_secs(1);
/// Nobody reads what receivers answer, but connections are reused only when it has come.
const ANSWER_LIMIT: usize = 16 * 1024;

/// Why a receiver has not taken a delivery.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It answered so.
    Status(StatusCode),
    /// It could not be reached, or must not be.
    Unreachable(String),
    /// The delivery cannot be signed here.
    Unsigned,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answered with status {}", status.as_u16()),
            Self::Unreachable(why) => f.write_str(why),
            Self::Unsigned => f.write_str("this server cannot open the key to sign with"),
        }
    }
}

/// Delivers what the store holds for webhooks.
#[derive(Debug)]
pub(crate) struct Outbox {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    egress: SharedTransport,
    config: WebhooksConfig,
    issuer: String,
    owner: String,
    key: RwLock<Option<Arc<SigningKey>>>,
    more: Notify,
}

impl Outbox {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        egress: SharedTransport,
        config: WebhooksConfig,
        issuer: String,
        owner: String,
    ) -> Self {
        let (key, more) = (RwLock::default(), Notify::new());
        Self { store, vault, egress, config, issuer, owner, key, more }
    }

    /// Says that there is something to deliver.
    pub(crate) fn call(&self) {
        self.more.notify_one();
    }

    /// Delivers until the server closes.
    pub(crate) async fn keep_delivering(self: Arc<Self>, closing: CancellationToken) {
        // A process that dies in between leaves its deliveries to others after this.
        let lease = self.config.timeout * 2 + Duration::from_secs(5);
        let mut running = JoinSet::new();
        let mut places = Places::default();
        while !closing.is_cancelled() {
            let free = CLAIM.min(AT_ONCE.saturating_sub(running.len()));
            let busy = places.busy();
            let claimed = match self.claim(lease, &busy, free).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for webhooks to deliver");
                    Vec::new()
                }
            };
            let maybe_more = free > 0 && claimed.len() == free;
            for delivery in claimed {
                let place = (delivery.tenant.clone(), delivery.what.uri.clone());
                let outbox = Arc::clone(&self);
                places.enter(
                    running.spawn(async move { outbox.deliver(delivery).await }).id(),
                    place,
                );
            }
            if maybe_more {
                continue;
            }
            tokio::select! {
                () = closing.cancelled() => {}
                Some(ended) = running.join_next_with_id() => places.leave(&ended),
                () = self.more.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn claim(
        &self,
        lease: Duration,
        busy: &Busy,
        free: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        match limit {
            0 => Ok(Vec::new()),
            _ => self.store.claim_deliveries(&self.owner, lease, busy, limit).await,
        }
    }

    async fn deliver(&self, delivery: Delivery) {
        let what = &delivery.what;
        let done = match self.attempt(&delivery).await {
            Ok(()) => self.store.settle(&delivery).await,
            Err(refused) => {
                tracing::info!(
                    id = what.id,
                    uri = redact_url(&what.uri),
                    attempt = delivery.attempt,
                    %refused,
                    "a webhook was not delivered"
                );
                self.refused(&delivery, &refused).await
            }
        };
        if let Err(error) = done {
            // Its lease runs out, and it is delivered again: receivers know the id.
            tracing::warn!(id = what.id, %error, "the end of a delivery cannot be noted");
        }
    }

    async fn refused(&self, delivery: &Delivery, refused: &Refused) -> Result<(), StoreError> {
        let now = clock::now();
        let tried = usize::try_from(delivery.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = match refused {
            // The receiver says that it wants nothing more, ever.
            Refused::Status(StatusCode::GONE) => None,
            _ => self.config.retry.get(tried),
        };
        match wait {
            Some(wait) => {
                let due = now.saturating_add(spread(*wait));
                self.store.put_off(delivery, due).await
            }
            None => {
                tracing::warn!(
                    id = delivery.what.id,
                    webhook = delivery.what.webhook,
                    "a webhook could not be delivered and is given up"
                );
                self.store.give_up(delivery, now).await
            }
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), Refused> {
        let secrets = match &delivery.what.webhook {
            None => None,
            Some(id) => {
                let webhook = self.store.webhook(&delivery.tenant, id).await;
                let webhook = webhook.map_err(|_| Refused::Unsigned)?;
                // Removed meanwhile: there is nobody to tell.
                let Some(webhook) = webhook else { return Ok(()) };
                // Nor is there when nobody wants to be told any more.
                if webhook.state != WebhookState::Enabled {
                    return Ok(());
                }
                Some(SigningSecrets::open(&self.vault, &webhook.secrets).ok_or(Refused::Unsigned)?)
            }
        };
        self.send(&delivery.what, secrets.as_ref()).await
    }

    /// Sends a delivery once.
    pub(crate) async fn send(
        &self,
        what: &NewDelivery,
        secrets: Option<&SigningSecrets>,
    ) -> Result<(), Refused> {
        let seconds = clock::now() / 1000;
        let signature = match secrets {
            Some(secrets) => signature::shared(secrets, &what.id, seconds, &what.payload),
            None => {
                let key = self.key().await.map_err(|_| Refused::Unsigned)?;
                let (issuer, uri) = (&self.issuer, &what.uri);
                signature::token(&key, issuer, uri, &what.id, seconds, &what.payload)
            }
        };
        let signature = signature.ok_or(Refused::Unsigned)?;
        let unreachable = |why: &str| Refused::Unreachable(why.to_owned());
        let mut request = http::Request::post(&what.uri)
            .body(Body::from(what.payload.clone()))
            .map_err(|_| unreachable("its address cannot be written in a request"))?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Refused::Unsigned);
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("interactions-server"));
        headers.insert("webhook-id", value(&what.id)?);
        headers.insert("webhook-timestamp", value(&seconds.to_string())?);
        headers.insert("webhook-signature", value(&signature)?);
        request.extensions_mut().insert(Timeouts::default().with_total(self.config.timeout));
        let response = self.egress.send(request).await.map_err(|error| match error.kind() {
            TransportErrorKind::Refused => {
                unreachable("this server may not reach its address; see [egress]")
            }
            TransportErrorKind::Timeout => unreachable("it took too long to answer"),
            _ => unreachable("it cannot be reached"),
        })?;
        let (parts, body) = response.into_parts();
        let _ = body.collect(ANSWER_LIMIT).await;
        match parts.status.is_success() {
            true => Ok(()),
            false => Err(Refused::Status(parts.status)),
        }
    }

    /// The key that signs for addresses of requests; the first use makes it.
    pub(crate) async fn key(&self) -> Result<Arc<SigningKey>, StoreError> {
        if let Some(key) = &*self.key.read().await {
            return Ok(Arc::clone(key));
        }
        let mut place = self.key.write().await;
        if let Some(key) = &*place {
            return Ok(Arc::clone(key));
        }
        let fail = |why: &str| StoreError::new(StoreErrorKind::Corrupt, why);
        let mut known = self.store.signing_keys().await?;
        if known.is_empty() {
            let made = tokio::task::spawn_blocking(make_key).await.ok().flatten();
            let made = made.ok_or_else(|| fail("no key to sign with could be made"))?;
            let id = random::<6>().map_err(|_| fail("the operating system has no random bytes"))?;
            let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
            let sealed = self.vault.seal(&made).ok_or_else(|| fail("a key cannot be sealed"))?;
            // Of servers that start at once, the first one's key stays.
            let record = SigningKeyRecord::new(id, sealed, clock::now());
            self.store.add_first_signing_key(&record).await?;
            known = self.store.signing_keys().await?;
        }
        let record = known.into_iter().next().ok_or_else(|| fail("there is no signing key"))?;
        let key = self
            .vault
            .open(&record.private)
            .and_then(|private| SigningKey::read(record.id, &private))
            .ok_or_else(|| fail("the signing key cannot be opened with this server's key"))?;
        let key = Arc::new(key);
        *place = Some(Arc::clone(&key));
        Ok(key)
    }
}

/// Whose deliveries are under way.
#[derive(Default)]
struct Places(HashMap<Id, (String, String)>);

impl Places {
    fn enter(&mut self, task: Id, place: (String, String)) {
        self.0.insert(task, place);
    }

    fn leave(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => *task,
            Err(panicked) => panicked.id(),
        };
        self.0.remove(&task);
    }

    fn busy(&self) -> Busy {
        let (mut tenants, mut uris) = (HashMap::new(), HashMap::new());
        for (tenant, uri) in self.0.values() {
            *tenants.entry(tenant).or_insert(0) += 1;
            *uris.entry(uri).or_insert(0) += 1;
        }
        Busy::new(many(tenants, AT_ONCE_PER_TENANT), many(uris, AT_ONCE_PER_ADDRESS))
    }
}

/// The keys that are counted at least `most` times.
fn many(counts: HashMap<&String, usize>, most: usize) -> Vec<String> {
    counts.into_iter().filter(|(_, count)| *count >= most).map(|(key, _)| key.clone()).collect()
}

/// A wait in milliseconds, up to a tenth longer at random, so that receivers that come back are
/// not met by everything at once.
fn spread(wait: Duration) -> i64 {
    let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let random = i64::from(random::<1>().map_or(0, |[byte]| byte));
    millis.saturating_add(millis / 2560 * random)
}
