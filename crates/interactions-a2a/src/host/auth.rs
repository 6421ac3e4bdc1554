//! Who calls.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use async_trait::async_trait;
use http::StatusCode;

use crate::wire::SecurityScheme;

/// Says who calls.
#[async_trait]
pub trait Authenticator: Send + Sync + fmt::Debug + 'static {
    /// Who has sent a request.
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated>;

    /// What cards declare.
    fn schemes(&self) -> BTreeMap<String, SecurityScheme>;

    /// What cards demand.
    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>>;
}

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    owner: String,
}

impl Principal {
    /// A caller.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into() }
    }

    /// Whose tasks are theirs.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Unauthenticated {
    challenge: Option<String>,
}

impl Unauthenticated {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }

    /// The challenge.
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.challenge.as_deref()
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("credentials are required")
    }
}

/// Everybody.
#[derive(Debug, Default)]
pub struct Anonymous;

#[async_trait]
impl Authenticator for Anonymous {
    async fn authenticate(&self, _: &http::request::Parts) -> Result<Principal, Unauthenticated> {
        Ok(Principal::new("anonymous"))
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        BTreeMap::new()
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        Vec::new()
    }
}

/// Callers who show a key as a bearer token.
#[derive(Debug)]
pub struct BearerKeys(HashMap<[u8; 32], String>);

impl BearerKeys {
    /// Keys, and whose each is.
    pub fn new(keys: impl IntoIterator<Item = (String, String)>) -> Self {
        use sha2::Digest;
        let digest = |key: String| sha2::Sha256::digest(key.as_bytes()).into();
        Self(keys.into_iter().map(|(key, owner)| (digest(key), owner)).collect())
    }
}

#[async_trait]
impl Authenticator for BearerKeys {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        use sha2::Digest;
        let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let key = header.and_then(|value| value.split_once(' ')).map(|(_, key)| key.trim());
        let digest: Option<[u8; 32]> = key.map(|key| sha2::Sha256::digest(key.as_bytes()).into());
        let owner = digest.and_then(|digest| self.0.get(&digest));
        owner.map(Principal::new).ok_or(Unauthenticated { challenge: Some("Bearer".to_owned()) })
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        let scheme = crate::wire::HttpAuthSecurityScheme {
            scheme: "Bearer".to_owned(),
            description: None,
            bearer_format: None,
        };
        BTreeMap::from([("bearer".to_owned(), SecurityScheme::HttpAuth(scheme))])
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        vec![HashMap::from([("bearer".to_owned(), Vec::new())])]
    }
}
