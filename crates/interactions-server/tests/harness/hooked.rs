//! A store with a hook after everything that it does.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use interactions_server::store::{
    AgentRecord, AgentStore, Beat, Busy, Chain, Chunk, Claim, Delivery, Ending, KeyRecord,
    KeyStore, Lease, NewInteraction, Page, Progress, Record, SigningKeyRecord, SqliteStore, Store,
    StoreError, Summary, WebhookRecord, WebhookStore,
};
use interactions_types::{InteractionId, Status};

type Hook = dyn Fn(&'static str) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync;

/// Passes everything on to a real store; the hook can delay the answer or replace it by an error.
pub struct Hooked {
    inner: SqliteStore,
    hook: Box<Hook>,
}

impl Hooked {
    pub async fn open(
        dir: &Path,
        hook: impl Fn(&'static str) -> BoxFuture<'static, Result<(), StoreError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let inner = SqliteStore::open(&dir.join("interactions.db")).await.unwrap();
        Self { inner, hook: Box::new(hook) }
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked(..)")
    }
}

macro_rules! hooked {
    ($trait:ident {
        $($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*
    } $($close:item)?) => {
        #[async_trait]
        impl $trait for Hooked {
            $(
                async fn $name(&self, $($argument: $type),*) -> Result<$output, StoreError> {
                    let done = self.inner.$name($($argument),*).await;
                    (self.hook)(stringify!($name)).await?;
                    done
                }
            )*

            $($close)?
        }
    };
}

hooked! {
    AgentStore {
        add_agent(tenant: &str, agent: &AgentRecord) -> bool;
        agent(tenant: &str, id: &str) -> Option<AgentRecord>;
        agents(tenant: &str, after: &str, limit: u32) -> Vec<AgentRecord>;
        remove_agent(tenant: &str, id: &str) -> bool;
    }
}

hooked! {
    WebhookStore {
        add_webhook(tenant: &str, webhook: &WebhookRecord) -> ();
        webhook(tenant: &str, id: &str) -> Option<WebhookRecord>;
        webhooks(tenant: &str, after: &str, limit: u32) -> Vec<WebhookRecord>;
        update_webhook(tenant: &str, before: &WebhookRecord, webhook: &WebhookRecord) -> bool;
        remove_webhook(tenant: &str, id: &str) -> bool;
        enabled_webhooks(tenant: &str) -> Vec<WebhookRecord>;
        claim_deliveries(owner: &str, lease_for: Duration, busy: &Busy, limit: u32) -> Vec<Delivery>;
        settle(delivery: &Delivery) -> ();
        put_off(delivery: &Delivery, due: i64) -> ();
        give_up(delivery: &Delivery, now: i64) -> ();
        signing_keys() -> Vec<SigningKeyRecord>;
        add_first_signing_key(key: &SigningKeyRecord) -> ();
    }
}

hooked! {
    KeyStore {
        add_key(key: &KeyRecord) -> ();
        keys() -> Vec<KeyRecord>;
        revoke_key(id: &str) -> bool;
    }
}

hooked! {
    Store {
        insert(new: &NewInteraction, chunk: Option<&Chunk>, ending: Option<&Ending>) -> ();
        load(tenant: &str, id: &InteractionId) -> Option<Record>;
        status(tenant: &str, id: &InteractionId) -> Option<Status>;
        chain(tenant: &str, head: &InteractionId, depth: u32) -> Chain;
        append(lease: &Lease, chunk: &Chunk, progress: Option<&Progress>) -> ();
        finish(lease: &Lease, chunk: Option<&Chunk>, ending: &Ending) -> ();
        events_after(id: &InteractionId, seq: u64, limit: u32) -> Vec<Chunk>;
        request_cancel(tenant: &str, id: &InteractionId) -> bool;
        heartbeat(leases: &[Lease], lease_for: Duration) -> Vec<(Lease, Beat)>;
        claim(owner: &str, lease_for: Duration, running: &[InteractionId], limit: u32) -> Vec<Claim>;
        release(owner: &str) -> ();
        hand_back(lease: &Lease) -> ();
        erase(tenant: &str, id: &InteractionId, now: i64) -> bool;
        list(tenant: &str, page: &Page) -> Vec<Summary>;
        expire(now: i64) -> u64;
        ping() -> ();
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
