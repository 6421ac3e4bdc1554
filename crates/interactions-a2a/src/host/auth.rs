//! Who calls: what authenticates callers, and what cards declare of it.

mod any;
mod jwks;
mod jwt;
mod keys;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, StatusCode};

pub use any::AnyOf;
pub use jwt::BearerJwt;
pub use keys::{ApiKeyHeader, BearerKeys};

use crate::wire::SecurityScheme;

/// Says who has sent a request.
///
/// What it declares is what it enforces: cards are made from [`schemes`](Self::schemes) and
/// [`requirements`](Self::requirements), so that they cannot promise anything else.
///
/// ```
/// use interactions_a2a::host::auth::{AnyOf, ApiKeyHeader, BearerKeys};
///
/// # fn make() -> Result<AnyOf, interactions_a2a::host::HostError> {
/// let people = BearerKeys::new([("key-of-anna", "anna"), ("key-of-bert", "bert")])?;
/// let machines = ApiKeyHeader::new("X-API-Key", [("key-of-the-cron-job", "cron")])?;
/// Ok(AnyOf::new().or(people).or(machines))
/// # }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + fmt::Debug + 'static {
    /// Who has sent a request, by its head alone.
    ///
    /// # Errors
    /// [`Unauthenticated`], which becomes the answer.
    ///
    /// # Cancellation
    /// The future is dropped when the caller goes away. That must not harm other callers.
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated>;

    /// The schemes that cards declare, by name. None means that everybody may call.
    fn schemes(&self) -> BTreeMap<String, SecurityScheme>;

    /// What cards demand: any one of these, each of them schemes by name with their scopes, all of
    /// which are necessary.
    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>>;
}

/// A caller who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    owner: String,
    scopes: BTreeSet<String>,
}

impl Principal {
    /// A caller. Callers with the same owner see the same tasks, and nobody else's.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), scopes: BTreeSet::new() }
    }

    /// Says what the caller may do, in the words of whoever has let them in.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Whose tasks are theirs.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What they may do, in the words of whoever has let them in; empty where nobody says.
    #[must_use]
    pub fn scopes(&self) -> &BTreeSet<String> {
        &self.scopes
    }
}

/// Why a caller is refused. Its message is for the caller and has no secrets.
#[derive(Clone, Debug)]
pub struct Unauthenticated {
    kind: UnauthenticatedKind,
    message: String,
    challenge: Option<String>,
}

/// What is wrong with a caller's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnauthenticatedKind {
    /// There are none.
    NoCredentials,
    /// There are some, but this authenticator does not know them; another one may.
    UnknownCredentials,
    /// There are some, and they are wrong whoever looks at them.
    WrongCredentials,
    /// The caller is known, but may not call.
    Forbidden,
    /// Nobody can tell just now; trying again later may help.
    Unavailable,
}

impl Unauthenticated {
    /// A refusal, with a message that the caller may read.
    pub fn new(kind: UnauthenticatedKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), challenge: None }
    }

    /// Adds what `WWW-Authenticate` says.
    #[must_use]
    pub fn with_challenge(mut self, challenge: impl Into<String>) -> Self {
        self.challenge = Some(challenge.into());
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> UnauthenticatedKind {
        self.kind
    }

    /// The status of the answer: 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            UnauthenticatedKind::NoCredentials
            | UnauthenticatedKind::UnknownCredentials
            | UnauthenticatedKind::WrongCredentials => StatusCode::UNAUTHORIZED,
            UnauthenticatedKind::Forbidden => StatusCode::FORBIDDEN,
            UnauthenticatedKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The value of `WWW-Authenticate`: how to authenticate.
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.challenge.as_deref()
    }

    /// A refusal of a bearer token, with the challenge of RFC 6750.
    fn bearer(kind: UnauthenticatedKind, message: impl Into<String>) -> Self {
        let refusal = Self::new(kind, message);
        match kind {
            UnauthenticatedKind::NoCredentials => refusal.with_challenge(r#"Bearer realm="a2a""#),
            UnauthenticatedKind::UnknownCredentials | UnauthenticatedKind::WrongCredentials => {
                refusal.with_challenge(r#"Bearer realm="a2a", error="invalid_token""#)
            }
            UnauthenticatedKind::Forbidden => {
                refusal.with_challenge(r#"Bearer realm="a2a", error="insufficient_scope""#)
            }
            UnauthenticatedKind::Unavailable => refusal,
        }
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Unauthenticated {}

/// Lets everybody in, as the one owner `anonymous`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about it")]
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

/// The token of `Authorization: Bearer TOKEN`.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Unauthenticated> {
    let none = || {
        let message = "credentials are required: send `Authorization: Bearer …`";
        Unauthenticated::bearer(UnauthenticatedKind::NoCredentials, message)
    };
    let wrong = |why| Unauthenticated::bearer(UnauthenticatedKind::WrongCredentials, why);
    let value = only(headers, &AUTHORIZATION).map_err(wrong)?.ok_or_else(none)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(none());
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.contains(' ') {
        return Err(wrong("`Authorization: Bearer` must be followed by one token".to_owned()));
    }
    Ok(token)
}

/// A header's value. Of several, readers would differ which one counts.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("there are several `{name}` headers: send one"));
    }
    let value = value.to_str().map_err(|_| format!("`{name}` has bytes that are not ASCII"))?;
    Ok(Some(value))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The head of a request with these headers.
    pub(in crate::host) fn head(headers: &[(&str, &str)]) -> http::request::Parts {
        let request = headers
            .iter()
            .fold(http::Request::post("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("the headers are valid").into_parts().0
    }

    #[tokio::test]
    async fn everybody_is_one_owner_where_it_is_open() {
        let caller = Anonymous.authenticate(&head(&[("authorization", "Bearer x")])).await.unwrap();
        assert_eq!(caller.owner(), "anonymous");
        assert!(Anonymous.schemes().is_empty() && Anonymous.requirements().is_empty());
    }

    #[test]
    fn refusals_have_their_statuses() {
        use UnauthenticatedKind::{Forbidden, NoCredentials, Unavailable, WrongCredentials};
        for (kind, status, challenge) in [
            (NoCredentials, 401, Some(r#"Bearer realm="a2a""#)),
            (WrongCredentials, 401, Some(r#"Bearer realm="a2a", error="invalid_token""#)),
            (Forbidden, 403, Some(r#"Bearer realm="a2a", error="insufficient_scope""#)),
            (Unavailable, 503, None),
        ] {
            let refusal = Unauthenticated::bearer(kind, "why");
            assert_eq!(refusal.status(), status);
            assert_eq!(refusal.challenge(), challenge);
            assert_eq!(refusal.to_string(), "why");
        }
    }
}
