//! An issuer's public keys, fetched when needed and kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use serde_json::Value;
use tokio::time::Instant;

use crate::jose::PublicKey;

/// A set of keys is a few kilobytes.
const SIZE_LIMIT: usize = 256 * 1024;
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How often keys are fetched at most, whatever callers send.
const PATIENCE: Duration = Duration::from_secs(30);
/// After this long keys are fetched anew, so that withdrawn ones go.
const LIFE: Duration = Duration::from_secs(3600);

/// What is known of a key id.
#[derive(Debug)]
pub(super) enum Found {
    Key(PublicKey),
    /// The issuer does not publish such a key.
    Nothing,
    /// The keys cannot be fetched; the log says why.
    Unavailable,
}

pub(super) struct Keys {
    transport: SharedTransport,
    url: String,
    state: Mutex<State>,
}

/// A look at the issuer's keys. It is a task of its own: nobody who stops waiting stops it.
type Fetch = Shared<BoxFuture<'static, Result<Known, String>>>;
type Known = Arc<HashMap<String, PublicKey>>;

#[derive(Default)]
struct State {
    known: Known,
    fetched: Option<Instant>,
    /// The last look, and when it began. It may be under way.
    last: Option<(Instant, Fetch)>,
}

impl Keys {
    pub(super) fn new(transport: SharedTransport, url: String) -> Self {
        Self { transport, url, state: Mutex::default() }
    }

    /// The key with this id. Keys rotate, so an unknown id is looked up once more.
    pub(super) async fn find(&self, id: &str) -> Found {
        if let Some(key) = self.fresh(id) {
            return Found::Key(key);
        }
        let (begun, fetch) = self.look();
        let outcome = fetch.await;
        self.keep(begun, &outcome);
        // Keys that could not be fetched anew are better than none.
        match (self.with(|state| state.known.get(id).cloned()), outcome) {
            (Some(key), _) => Found::Key(key),
            (None, Ok(_)) => Found::Nothing,
            (None, Err(_)) => Found::Unavailable,
        }
    }

    fn fresh(&self, id: &str) -> Option<PublicKey> {
        self.with(|state| {
            let is_fresh = state.fetched.is_some_and(|at| at.elapsed() < LIFE);
            state.known.get(id).filter(|_| is_fresh).cloned()
        })
    }

    /// The look under way or a moment ago, or a new one.
    fn look(&self) -> (Instant, Fetch) {
        self.with(|state| {
            // A look takes less than the patience, so one that is older has ended.
            if let Some(last) = state.last.as_ref().filter(|(at, _)| at.elapsed() < PATIENCE) {
                return last.clone();
            }
            let task = tokio::spawn(fetch(self.transport.clone(), self.url.clone()));
            let fetch = async {
                task.await.unwrap_or_else(|_| Err("the look at them was broken off".to_owned()))
            };
            state.last.insert((Instant::now(), fetch.boxed().shared())).clone()
        })
    }

    /// Keeps what a look has found, unless a later one has found something already.
    fn keep(&self, begun: Instant, outcome: &Result<Known, String>) {
        self.with(|state| {
            if let Ok(known) = outcome
                && state.fetched.is_none_or(|at| at < begun)
            {
                state.known = Arc::clone(known);
                state.fetched = Some(begun);
            }
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("url", &self.url).finish_non_exhaustive()
    }
}

async fn fetch(transport: SharedTransport, url: String) -> Result<Known, String> {
    let outcome = tokio::time::timeout(TIME_LIMIT, exchange(transport, &url))
        .await
        .unwrap_or_else(|_| Err(format!("nothing came within {TIME_LIMIT:?}")));
    if let Err(why) = &outcome {
        tracing::warn!(url, why, "the keys that verify callers cannot be fetched");
    }
    outcome
}

async fn exchange(transport: SharedTransport, url: &str) -> Result<Known, String> {
    let mut request = http::Request::get(url)
        .header("accept", "application/json")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    request.extensions_mut().insert(Timeouts::default().with_total(TIME_LIMIT));
    let response = transport.send(request).await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the answer is {}", response.status()));
    }
    let body = response.into_body().collect(SIZE_LIMIT).await.map_err(|error| error.to_string())?;
    let set: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let listed = set.get("keys").and_then(Value::as_array).ok_or("there is no list of `keys`")?;
    // One key that nobody can read is no reason to do without the others.
    let known: HashMap<_, _> =
        listed.iter().filter_map(|key| PublicKey::from_jwk(key).ok()).collect();
    if known.is_empty() {
        return Err("there is no key for RS256, ES256 or EdDSA among them".to_owned());
    }
    Ok(Arc::new(known))
}
