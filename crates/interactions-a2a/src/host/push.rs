//! Push notifications: what a task tells, sent to an address that its caller has named.
//!
//! There is no outbox: a configuration knows how far it was served, and the rest is derived anew.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, StatusCode};
use interactions_transport::guard::Guard;
use interactions_transport::{Body, SharedTransport, Timeouts, Transport, TransportErrorKind};
use serde::{Deserialize, Serialize};

use super::engine::{Engine, Pause, broken};
use super::feed::{Told, Until};
use super::vault::Vault;
use crate::fault::{Fault, FaultKind};
use crate::index::{Position, PushRecord};
use crate::task::{Scope, TaskRecord};
use crate::updates::append;
use crate::wire::{
    self, Artifact, AuthenticationInfo, StreamResponse, TaskArtifactUpdateEvent,
    TaskPushNotificationConfig,
};

/// How many configurations a task may have.
const PER_TASK: usize = 16;
/// How long a receiver may take.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Nobody reads what receivers answer, but connections are reused only when it has come.
const ANSWER_LIMIT: usize = 16 * 1024;
/// How long to wait before each further try.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(120),
];

/// What push notifications need.
pub(super) struct Pushes {
    guard: Guard,
    egress: SharedTransport,
    vault: Vault,
    offered: bool,
    /// The configurations that are being served, by task and id, and whether there is more to
    /// serve than was known when that began.
    serving: Mutex<HashMap<(String, String), bool>>,
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushes").field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// What of a configuration is not to be read by anybody.
#[derive(Default, Serialize, Deserialize)]
struct Secrets {
    token: Option<String>,
    scheme: Option<String>,
    credentials: Option<String>,
}

impl Pushes {
    pub(super) fn new(guard: Guard, egress: SharedTransport, vault: Vault, offered: bool) -> Self {
        Self { guard, egress, vault, offered, serving: Mutex::default() }
    }

    pub(super) fn offered(&self) -> bool {
        self.offered
    }

    /// Whether an address may be sent to, and credentials can be sent.
    fn check(&self, config: &TaskPushNotificationConfig) -> Result<(), Fault> {
        if !self.offered {
            return Err(Fault::new(
                FaultKind::PushNotificationNotSupported,
                "this host sends no push notifications",
            ));
        }
        if config.url.is_empty() {
            return Err(Fault::invalid("url", "it is required"));
        }
        self.guard.check(&config.url).map_err(|refusal| {
            let why = match refusal.kind() {
                TransportErrorKind::Refused => "this host may not send to that address",
                _ => "it is not an address to send to",
            };
            Fault::invalid("url", why)
        })?;
        let secrets = Secrets::of(config);
        let header = |field: &str, value: Option<&str>| match value.map(HeaderValue::from_str) {
            Some(Err(_)) => Err(Fault::invalid(field, "it cannot stand in a header")),
            _ => Ok(()),
        };
        header("token", secrets.token.as_deref())?;
        header("authentication.credentials", secrets.authorization().as_deref())
    }

    fn record(
        &self,
        task: &TaskRecord,
        config: &TaskPushNotificationConfig,
        position: Position,
    ) -> Result<PushRecord, Fault> {
        self.check(config)?;
        let secrets = serde_json::to_vec(&Secrets::of(config)).ok();
        let sealed = secrets.and_then(|secrets| self.vault.seal(&secrets));
        let id = config.id.clone().filter(|id| !id.is_empty());
        Ok(PushRecord {
            scope: task.scope.clone(),
            task_id: task.id.clone(),
            id: id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            url: config.url.clone(),
            sealed: sealed.ok_or_else(|| Fault::internal("credentials cannot be kept here"))?,
            position,
        })
    }

    fn open(&self, push: &PushRecord) -> Option<Secrets> {
        serde_json::from_slice(&self.vault.open(&push.sealed)?).ok()
    }

    /// A configuration as its owner may see it: that there are credentials, but not which.
    fn to_wire(&self, push: &PushRecord, tenant: Option<&str>) -> TaskPushNotificationConfig {
        let scheme = self.open(push).and_then(|secrets| secrets.scheme);
        TaskPushNotificationConfig {
            url: push.url.clone(),
            id: Some(push.id.clone()),
            task_id: push.task_id.clone(),
            token: None,
            authentication: scheme.map(|scheme| AuthenticationInfo { scheme, credentials: None }),
            tenant: tenant.map(str::to_owned),
        }
    }

    fn serving(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), bool>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, push: &PushRecord, body: String) -> Result<(), Refused> {
        let secrets = self.open(push).ok_or(Refused::Sealed)?;
        let mut request = http::Request::post(&push.url)
            .header(CONTENT_TYPE, wire::MEDIA_TYPE)
            .header(USER_AGENT, concat!("interactions-a2a/", env!("CARGO_PKG_VERSION")))
            .body(Body::from(body))
            .map_err(|_| Refused::Address)?;
        let mut header = |name: &'static str, value: Option<&str>| {
            if let Some(Ok(mut value)) = value.map(HeaderValue::from_str) {
                value.set_sensitive(true);
                request.headers_mut().insert(name, value);
            }
        };
        header(AUTHORIZATION.as_str(), secrets.authorization().as_deref());
        // SDKs disagree about the name.
        header("x-a2a-notification-token", secrets.token.as_deref());
        header("a2a-notification-token", secrets.token.as_deref());
        request.extensions_mut().insert(Timeouts::default().with_total(TIME_LIMIT));
        let exchange = async {
            let response = self.egress.send(request).await.map_err(|error| match error.kind() {
                TransportErrorKind::Refused => Refused::Address,
                _ => Refused::Unreachable,
            })?;
            let (parts, body) = response.into_parts();
            let _ = body.collect(ANSWER_LIMIT).await;
            match parts.status {
                status if status.is_success() => Ok(()),
                status => Err(Refused::Status(status)),
            }
        };
        tokio::time::timeout(TIME_LIMIT, exchange).await.unwrap_or(Err(Refused::Unreachable))
    }
}

/// Why a receiver has not taken an event.
#[derive(Debug)]
enum Refused {
    /// It must not be sent to.
    Address,
    /// Its credentials cannot be opened with this host's key.
    Sealed,
    Unreachable,
    Status(StatusCode),
}

impl Refused {
    fn may_pass(&self) -> bool {
        match self {
            Self::Address | Self::Sealed => false,
            Self::Unreachable => true,
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
        }
    }
}

impl Secrets {
    fn of(config: &TaskPushNotificationConfig) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let authentication = config.authentication.as_ref();
        Self {
            token: given(&config.token),
            scheme: authentication.map(|one| one.scheme.clone()).filter(|one| !one.is_empty()),
            credentials: authentication.and_then(|one| given(&one.credentials)),
        }
    }

    fn authorization(&self) -> Option<String> {
        Some(format!("{} {}", self.scheme.as_ref()?, self.credentials.as_ref()?))
    }
}

impl Engine {
    /// Keeps a configuration and begins to serve it.
    ///
    /// With `from_start` it hears of the whole task, else of what happens in this turn and later.
    pub(super) async fn add_push(
        self: &Arc<Self>,
        task: &TaskRecord,
        config: &TaskPushNotificationConfig,
        tenant: Option<&str>,
    ) -> Result<TaskPushNotificationConfig, Fault> {
        let last = task.turns.len() - 1;
        let ended = task.turns[last].outcome.is_some();
        let position = Position { turn: last, updates: 0, ended };
        let push = self.pushes.record(task, config, position)?;
        self.check_room(&task.scope, &task.id, config).await?;
        self.index.put_push(&push).await.map_err(|error| broken(&error))?;
        let shown = self.pushes.to_wire(&push, tenant);
        self.push(push);
        Ok(shown)
    }

    /// Whether a task can have another configuration.
    pub(super) async fn check_room(
        &self,
        scope: &Scope,
        task_id: &str,
        config: &TaskPushNotificationConfig,
    ) -> Result<(), Fault> {
        let known = self.index.pushes(scope, task_id).await.map_err(|error| broken(&error))?;
        let replaces = known.iter().any(|one| Some(&one.id) == config.id.as_ref());
        if known.len() < PER_TASK || replaces {
            return Ok(());
        }
        let why = format!("a task has {PER_TASK} of them at the most");
        Err(Fault::invalid("taskPushNotificationConfig", why))
    }

    /// Whether a configuration could be kept, before there is a task.
    pub(super) fn check_push(&self, config: &TaskPushNotificationConfig) -> Result<(), Fault> {
        self.pushes.check(config)
    }

    pub(super) async fn shown_pushes(
        &self,
        scope: &Scope,
        task_id: &str,
        tenant: Option<&str>,
    ) -> Result<Vec<TaskPushNotificationConfig>, Fault> {
        if !self.pushes.offered() {
            let message = "this host sends no push notifications";
            return Err(Fault::new(FaultKind::PushNotificationNotSupported, message));
        }
        self.task(scope, task_id).await?;
        let pushes = self.index.pushes(scope, task_id).await.map_err(|error| broken(&error))?;
        Ok(pushes.iter().map(|push| self.pushes.to_wire(push, tenant)).collect())
    }

    /// Serves all configurations of a task.
    pub(super) async fn push_for(self: &Arc<Self>, scope: &Scope, task_id: &str) {
        match self.index.pushes(scope, task_id).await {
            Ok(pushes) => pushes.into_iter().for_each(|push| self.push(push)),
            Err(error) => tracing::error!(%error, "push configurations cannot be read"),
        }
    }

    /// Serves a configuration until its task ends or waits for input.
    pub(super) fn push(self: &Arc<Self>, push: PushRecord) {
        let key = (push.task_id.clone(), push.id.clone());
        if !self.pushes.offered() {
            return;
        }
        match self.pushes.serving().entry(key.clone()) {
            Entry::Occupied(mut more) => {
                more.insert(true);
                return;
            }
            Entry::Vacant(place) => place.insert(false),
        };
        let engine = Arc::clone(self);
        self.tracker.spawn(async move {
            let mut pause = Pause::new();
            loop {
                let served = tokio::select! {
                    () = engine.closing.cancelled() => return,
                    served = engine.serve_push(&push) => served,
                };
                if served == Served::Broken {
                    pause.wait().await;
                    continue;
                }
                // What happened while the last event was on its way is looked at once more.
                let mut serving = engine.pushes.serving();
                if serving.remove(&key) != Some(true) {
                    return;
                }
                serving.insert(key.clone(), false);
            }
        });
    }

    async fn serve_push(self: &Arc<Self>, push: &PushRecord) -> Served {
        let (scope, task_id, id) = (&push.scope, &push.task_id, &push.id);
        let position = match self.stored_push(push).await {
            Ok(Some(stored)) => stored.position,
            Ok(None) => return Served::Gone,
            Err(_) => return Served::Broken,
        };
        let mut feed = self.feed(scope.clone(), task_id.clone(), position, Until::Interruption);
        let mut pieces = Pieces::default();
        while let Some(told) = feed.recv().await {
            let Ok(Told { position, event }) = told else { return Served::Broken };
            let Some(event) = pieces.take(event) else { continue };
            let served = self.deliver(push, &event).await;
            if served != Served::All {
                return served;
            }
            if let Err(error) = self.index.push_served(scope, task_id, id, position).await {
                tracing::error!(%error, "how far a push configuration was served is not kept");
            }
        }
        Served::All
    }

    /// Sends one event, as often as it takes, or as it makes sense.
    async fn deliver(&self, push: &PushRecord, event: &StreamResponse) -> Served {
        let Ok(body) = serde_json::to_string(event) else { return Served::All };
        let task = &push.task_id;
        let mut waits = WAITS.into_iter();
        loop {
            // A configuration may be deleted or replaced at any time.
            let stored = match self.stored_push(push).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return Served::Gone,
                Err(_) => return Served::Broken,
            };
            let Err(refused) = self.pushes.send(&stored, body.clone()).await else {
                return Served::All;
            };
            let Some(wait) = waits.next().filter(|_| refused.may_pass()) else {
                tracing::warn!(%task, ?refused, "a push notification is given up");
                return Served::All;
            };
            tracing::info!(%task, ?refused, ?wait, "a push notification is sent again");
            tokio::time::sleep(wait).await;
        }
    }

    /// A configuration as it is now.
    async fn stored_push(&self, push: &PushRecord) -> Result<Option<PushRecord>, Fault> {
        let stored = self.index.pushes(&push.scope, &push.task_id).await;
        let stored = stored.map_err(|error| broken(&error))?;
        Ok(stored.into_iter().find(|one| one.id == push.id))
    }
}

/// How far a configuration was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// As far as there is something to tell.
    All,
    /// It was deleted.
    Gone,
    /// Until something did not work that may work again.
    Broken,
}

/// Pieces of artifacts until they are whole: a request for every word would be too many.
#[derive(Default)]
struct Pieces(Vec<Artifact>);

impl Pieces {
    /// What to send now.
    fn take(&mut self, event: StreamResponse) -> Option<StreamResponse> {
        let StreamResponse::ArtifactUpdate(mut update) = event else { return Some(event) };
        let id = &update.artifact.artifact_id;
        let held = self.0.iter_mut().find(|held| held.artifact_id == *id);
        match held {
            Some(held) if update.append == Some(true) => append(held, update.artifact.parts),
            Some(held) => *held = update.artifact.clone(),
            None => self.0.push(update.artifact.clone()),
        }
        if update.last_chunk != Some(true) {
            return None;
        }
        let place = self.0.iter().position(|held| held.artifact_id == update.artifact.artifact_id);
        update.artifact = self.0.swap_remove(place?);
        Some(StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            append: Some(false),
            ..update
        }))
    }
}
