//! Who calls: keys and the tenants they belong to.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use interactions_transport::guard::check_sender;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::{Face, body};
use crate::config::AuthConfig;
use crate::error::{Refusal, StartError};
use crate::store::{Store, StoreError, digest};

/// The tenant of a server without keys.
const EVERYONE: &str = "default";

/// How long the stored keys are believed before they are read again: so soon a key is revoked.
const FRESH: Duration = Duration::from_secs(2);

/// The keys of a server: those of its configuration, and those in its store.
pub(crate) struct Keys {
    /// The tenant of every request, where whoever embeds the server answers for its callers.
    trusted: Option<String>,
    store: Arc<dyn Store>,
    /// Tenants by what their keys hash to. The look-up takes the time that a hash takes,
    /// which tells nothing about the key.
    configured: HashMap<String, String>,
    stored: RwLock<HashMap<String, String>>,
    /// When the stored ones were read; held by whoever reads them anew.
    read: Mutex<Instant>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Marks requests that came over a socket of the server's own. Without keys it is one that only
/// this machine can reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnSocket;

/// Whose interactions a request may reach.
#[derive(Clone, Debug)]
pub(super) struct Tenant(pub(super) String);

impl Keys {
    pub(crate) async fn open(
        config: &AuthConfig,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        let configured = configured(config)?;
        let stored = stored(store.as_ref()).await.map_err(|error| {
            StartError::new(format!("the keys in the database cannot be read: {error}"))
        })?;
        let (stored, read) = (RwLock::new(stored), Mutex::new(Instant::now()));
        Ok(Self { trusted: None, store, configured, stored, read })
    }

    /// Lets everyone in as this tenant.
    pub(crate) fn trusting(store: Arc<dyn Store>, tenant: String) -> Self {
        Self {
            trusted: Some(tenant),
            store,
            configured: HashMap::new(),
            stored: RwLock::default(),
            read: Mutex::new(Instant::now()),
        }
    }

    /// Whether everyone may call.
    pub(crate) fn is_open(&self) -> bool {
        self.configured.is_empty()
            && self.stored.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether everyone may call, by what the store says now.
    async fn is_still_open(&self) -> bool {
        self.refresh().await;
        self.is_open()
    }

    fn tenant(&self, given: &str) -> Option<String> {
        let digest = digest(given);
        self.configured.get(&digest).cloned().or_else(|| {
            self.stored.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
        })
    }

    /// Reads the stored keys again if that was long ago; one request does so for all.
    async fn refresh(&self) {
        let Ok(mut read) = self.read.try_lock() else { return };
        if read.elapsed() < FRESH {
            return;
        }
        *read = Instant::now();
        match stored(self.store.as_ref()).await {
            // A server that has once asked for keys does not open by losing the last one.
            Ok(keys) if keys.is_empty() && !self.is_open() && self.configured.is_empty() => {
                let nobody = HashMap::from([(String::new(), String::new())]);
                *self.stored.write().unwrap_or_else(PoisonError::into_inner) = nobody;
            }
            Ok(keys) => *self.stored.write().unwrap_or_else(PoisonError::into_inner) = keys,
            Err(error) => tracing::warn!(%error, "keys cannot be read; the former ones hold"),
        }
    }
}

fn configured(config: &AuthConfig) -> Result<HashMap<String, String>, StartError> {
    let keys = config.keys.iter().enumerate().map(|(index, entry)| {
        let place = format!("`auth.keys[{index}]`");
        let key = match (&entry.key, &entry.key_env) {
            (Some(key), None) => key.clone(),
            (None, Some(name)) => env::var(name)
                .map_err(|_| StartError::new(format!("{place} names {name}, which is not set")))?,
            _ => return Err(StartError::new(format!("{place} needs either key or key_env"))),
        };
        if key.trim().is_empty() || entry.tenant.is_empty() {
            return Err(StartError::new(format!(
                "{place}: neither the key nor the tenant may be empty"
            )));
        }
        Ok((digest(&key), entry.tenant.clone()))
    });
    keys.collect()
}

async fn stored(store: &dyn Store) -> Result<HashMap<String, String>, StoreError> {
    let keys = store.keys().await?;
    Ok(keys.into_iter().map(|key| (key.digest, key.tenant)).collect())
}

/// Lets a request in with its tenant, or turns it away.
pub(super) async fn authenticate(
    State(face): State<Face>,
    mut request: Request,
    next: Next,
) -> Response {
    let tenant = if let Some(tenant) = &face.keys.trusted {
        tenant.clone()
    } else if face.keys.is_still_open().await {
        let on_socket = request.extensions().get::<OnSocket>().is_some();
        if let Err(stranger) = check_sender(request.headers(), request.uri(), on_socket) {
            body::hear_out(request.into_body().into_data_stream(), body::STRANGER).await;
            let message = format!("{stranger}; add [auth] keys to the configuration");
            return Refusal::new(StatusCode::FORBIDDEN, "permission_denied", message)
                .into_response();
        }
        EVERYONE.to_owned()
    } else {
        let given = given_key(&request);
        match given.as_deref().map(|given| face.keys.tenant(given)) {
            Some(Some(tenant)) => tenant,
            known => {
                let message = match known {
                    None => "an API key is required: send it as x-goog-api-key",
                    Some(_) => "the API key is not valid",
                };
                body::hear_out(request.into_body().into_data_stream(), body::STRANGER).await;
                let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "authentication", message);
                let mut response = refusal.into_response();
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return response;
            }
        }
    };
    if let Err(wait) = face.pace.admit(&tenant) {
        return Refusal::too_many(
            format!("more than {} requests in a minute", face.pace.per_minute()),
            wait,
        )
        .into_response();
    }
    request.extensions_mut().insert(Tenant(tenant));
    next.run(request).await
}

/// The key as a header, as a bearer token or in the query.
fn given_key(request: &Request) -> Option<String> {
    let header =
        |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(key) = header("x-goog-api-key") {
        return Some(key.to_owned());
    }
    if let Some((scheme, token)) =
        header(AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some(token.trim().to_owned());
    }
    let query = request.uri().query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "key")
        .map(|(_, key)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyConfig;
    use crate::store::{KeyRecord, KeyStore, SqliteStore};

    async fn open(config: &AuthConfig) -> (Keys, SqliteStore, std::path::PathBuf) {
        let dir = env::temp_dir().join(format!("interactions-keys-{}", std::process::id()));
        let file = dir.join(format!("{:p}.db", &raw const *config));
        let store = SqliteStore::open(&file).await.unwrap();
        (Keys::open(config, Arc::new(store.clone())).await.unwrap(), store, file)
    }

    #[tokio::test]
    async fn keys_belong_to_tenants() {
        let mut config =
            AuthConfig { keys: vec![KeyConfig::new("alpha", "a"), KeyConfig::new("beta", "b")] };
        let (keys, store, file) = open(&config).await;
        assert_eq!(keys.tenant("alpha").as_deref(), Some("a"));
        assert_eq!(keys.tenant("beta").as_deref(), Some("b"));
        for wrong in ["", "alph", "alphaa", "Alpha"] {
            assert_eq!(keys.tenant(wrong), None, "{wrong}");
        }
        config.keys[1].key = None;
        let broken = Keys::open(&config, Arc::new(store)).await.unwrap_err();
        assert!(broken.to_string().contains("auth.keys[1]"));
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn stored_keys_come_and_go_while_the_server_runs() {
        let config = AuthConfig::default();
        let (keys, store, file) = open(&config).await;
        let later = async || {
            let long_ago = Instant::now().checked_sub(FRESH).unwrap();
            *keys.read.lock().await = long_ago;
            keys.refresh().await;
        };
        assert!(keys.is_open());
        let (secret, record) = KeyRecord::generate("a", "laptop").unwrap();
        assert!(!format!("{record:?}").contains(&secret));
        store.add_key(&record).await.unwrap();
        later().await;
        assert_eq!((keys.is_open(), keys.tenant(&secret).as_deref()), (false, Some("a")));
        assert_eq!(keys.tenant(&record.digest), None, "what is stored opens nothing");

        assert!(store.revoke_key(&record.id).await.unwrap());
        assert!(!store.revoke_key(&record.id).await.unwrap());
        later().await;
        assert_eq!((keys.is_open(), keys.tenant(&secret)), (false, None));
        assert_eq!(keys.tenant(""), None);
        std::fs::remove_file(file).unwrap();
    }
}
