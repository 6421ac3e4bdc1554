//! The service's public keys, fetched when needed and kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::{VerifyError, VerifyErrorKind};

/// A set of keys is a few kilobytes.
const SIZE_LIMIT: usize = 256 * 1024;
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How often keys are fetched because of ids that nobody knows: forged ones cost no more.
const PATIENCE: Duration = Duration::from_secs(30);
/// After this long keys are fetched anew, so that withdrawn ones go.
const LIFE: Duration = Duration::from_secs(3600);

/// An RSA key that may verify signatures.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PublicKey {
    /// Whether the key's owner has signed. Keys below 2048 bits never have.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

pub(super) struct Keys {
    transport: SharedTransport,
    url: String,
    state: Mutex<State>,
}

/// A look at the service's keys. Whoever waits for it carries it on, so nobody who stops waiting
/// stops it for the others.
type Fetch = Shared<BoxFuture<'static, Result<Known, String>>>;
type Known = Arc<HashMap<String, PublicKey>>;

#[derive(Default)]
struct State {
    known: Known,
    fetched: Option<Instant>,
    /// The look that is under way, and since when.
    fetch: Option<(Instant, Fetch)>,
    /// When the last look ended, and why if it found nothing.
    ended: Option<(Instant, Option<String>)>,
}

impl Keys {
    pub(super) fn new(transport: SharedTransport, url: String) -> Self {
        Self { transport, url, state: Mutex::default() }
    }

    /// The key with this id. Keys rotate, so an unknown id is looked up once more.
    pub(super) async fn find(&self, id: &str) -> Result<PublicKey, VerifyError> {
        if let Some(key) = self.fresh(id) {
            return Ok(key);
        }
        let looked = match self.look() {
            Ok((begun, fetch)) => {
                let outcome = fetch.await;
                self.end(begun, &outcome);
                outcome.map(|_| ()).map_err(|why| unavailable(&why))
            }
            Err(why) => Err(why),
        };
        // Keys that could not be fetched anew are better than none.
        match (self.with(|state| state.known.get(id).cloned()), looked) {
            (Some(key), _) => Ok(key),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(VerifyError::signature(format!(
                "the service has no key `{}`, with which the delivery claims to be signed",
                id.chars().take(64).collect::<String>()
            ))),
        }
    }

    fn fresh(&self, id: &str) -> Option<PublicKey> {
        self.with(|state| {
            let is_fresh = state.fetched.is_some_and(|at| at.elapsed() < LIFE);
            state.known.get(id).filter(|_| is_fresh).cloned()
        })
    }

    /// The look under way, or a new one unless the last one was a moment ago.
    fn look(&self) -> Result<(Instant, Fetch), VerifyError> {
        self.with(|state| {
            // One that everybody has stopped waiting for stands still; it is not waited for again.
            if let Some(running) = state.fetch.as_ref().filter(|(at, _)| at.elapsed() < TIME_LIMIT)
            {
                return Ok(running.clone());
            }
            if let Some((at, failure)) = &state.ended
                && at.elapsed() < PATIENCE
            {
                let wait = (PATIENCE - at.elapsed()).as_secs() + 1;
                return Err(match failure {
                    Some(why) => unavailable(&format!("{why}; the next try is in {wait} s")),
                    None => VerifyError::new(
                        VerifyErrorKind::Keys,
                        format!(
                            "the delivery is signed with a key that is not known; the service's \
                             keys can be fetched again in {wait} s"
                        ),
                    ),
                });
            }
            let fetch = fetch(self.transport.clone(), self.url.clone()).boxed().shared();
            Ok(state.fetch.insert((Instant::now(), fetch)).clone())
        })
    }

    /// Keeps what the look has found, once.
    fn end(&self, begun: Instant, outcome: &Result<Known, String>) {
        self.with(|state| {
            if state.fetch.as_ref().is_none_or(|(at, _)| *at != begun) {
                return;
            }
            state.fetch = None;
            state.ended = Some((Instant::now(), outcome.as_ref().err().cloned()));
            if let Ok(known) = outcome {
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

fn unavailable(why: &str) -> VerifyError {
    VerifyError::new(VerifyErrorKind::Keys, format!("the service's keys cannot be fetched: {why}"))
}

async fn fetch(transport: SharedTransport, url: String) -> Result<Known, String> {
    let mut request = http::Request::get(&url)
        .header("accept", "application/json")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    request.extensions_mut().insert(Timeouts::default().with_total(TIME_LIMIT));
    let exchange = async {
        let response = transport.send(request).await.map_err(|e| e.to_string())?;
        if !response.status().is_success() {
            return Err(format!("the answer is {}", response.status()));
        }
        response.into_body().collect(SIZE_LIMIT).await.map_err(|e| e.to_string())
    };
    let body = tokio::time::timeout(TIME_LIMIT, exchange)
        .await
        .map_err(|_| format!("nothing came within {TIME_LIMIT:?}"))??;
    let set: Set = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    // One key that nobody can read is no reason to do without the others.
    let readable = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    let known: HashMap<_, _> = readable.filter_map(Key::usable).collect();
    if known.is_empty() {
        return Err("there is no RSA key for signatures among them".to_owned());
    }
    Ok(Arc::new(known))
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// A key as RFC 7517 writes it.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Key {
    /// The key by its id, if it is an RSA key for signatures.
    fn usable(self) -> Option<(String, PublicKey)> {
        let fits = self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let number = |text: Option<String>| {
            let bytes = URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            Some(bytes[zeros..].to_vec())
        };
        let key = PublicKey { modulus: number(self.n)?, exponent: number(self.e)? };
        fits.then_some((self.kid?, key))
    }
}
