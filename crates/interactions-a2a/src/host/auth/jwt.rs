//! Tokens of an identity provider: signed by its keys, for this host, and not yet expired.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_transport::SharedTransport;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::jwks::{Found, Keys};
use super::{Authenticator, Principal, Unauthenticated, UnauthenticatedKind, bearer_token};
use crate::host::HostError;
use crate::jose::{Header, parse};
use crate::wire::{HttpAuthSecurityScheme, SecurityScheme};

/// No honest token is longer, in characters.
const LONGEST: usize = 16 * 1024;
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Callers show a token of an identity provider: `Authorization: Bearer TOKEN`, a JWT (RFC 7519)
/// signed by RS256, ES256 or EdDSA.
///
/// The token must be from the issuer (`iss`), for this host (`aud`) and not expired (`exp`, `nbf`;
/// clocks may be a minute apart). The owner is the issuer with a claim of the token, `sub` unless
/// it is said otherwise: `https://issuer.example#anna`. So owners of several issuers never meet.
///
/// The issuer's keys are fetched when they are first needed and kept for an hour. A key that is
/// not known is looked up again, but keys are never fetched more than twice a minute, whatever
/// callers send. When the issuer cannot be reached the known keys go on to hold.
///
/// It is used inside a tokio runtime, which fetches the keys. Clones share them.
///
/// ```no_run
/// use interactions_a2a::host::auth::BearerJwt;
/// # fn make(transport: interactions_transport::SharedTransport) -> Result<BearerJwt, interactions_a2a::host::HostError> {
/// let tokens = BearerJwt::new(
///     transport,
///     "https://issuer.example/.well-known/jwks.json",
///     "https://issuer.example",
///     "https://agents.example.com",
/// )?
/// .require_scope("a2a");
/// # Ok(tokens)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BearerJwt {
    keys: Arc<Keys>,
    issuer: String,
    audience: String,
    claim: String,
    scopes: BTreeSet<String>,
}

impl BearerJwt {
    /// Believes tokens of `issuer` for `audience`, signed by the keys at `keys_url`: the address of
    /// a JSON Web Key Set, HTTPS unless it is on this machine.
    ///
    /// # Errors
    /// [`HostError`] when the address is another one, or issuer or audience is empty.
    pub fn new(
        transport: SharedTransport,
        keys_url: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, HostError> {
        let (keys_url, issuer, audience) = (keys_url.into(), issuer.into(), audience.into());
        let is_safe = Url::parse(&keys_url).is_ok_and(|url| match (url.scheme(), url.host()) {
            ("https", Some(_)) => true,
            ("http", Some(Host::Domain(name))) => name == "localhost",
            ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
            ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
            _ => false,
        });
        if !is_safe {
            return Err(HostError::new(format!(
                "keys must not be fetched from `{keys_url}`, where others could change them: \
                 name an https address"
            )));
        }
        // Owners are the issuer, `#` and the claim, which must tell the two apart.
        if issuer.is_empty() || issuer.contains('#') {
            return Err(HostError::new(
                "the issuer of tokens must be named as their `iss` does, and without `#`",
            ));
        }
        if audience.is_empty() {
            return Err(HostError::new(
                "the audience of tokens (`aud`) must be named: without it, tokens for other \
                 services would let their callers in here",
            ));
        }
        let keys = Arc::new(Keys::new(transport, keys_url));
        Ok(Self { keys, issuer, audience, claim: "sub".to_owned(), scopes: BTreeSet::new() })
    }

    /// Takes the owner from this claim, in place of `sub`. Its values must be the issuer's to give,
    /// and never given to somebody else: an address that people can change is not.
    pub fn owner_claim(mut self, claim: impl Into<String>) -> Self {
        self.claim = claim.into();
        self
    }

    /// Lets only those in whose token has this scope (`scope` or `scp`); others get 403.
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.insert(scope.into());
        self
    }

    async fn authenticate_at(
        &self,
        now: SystemTime,
        token: &str,
    ) -> Result<Principal, Unauthenticated> {
        // What does not look like a token of this issuer may be another authenticator's.
        let foreign = |why| Unauthenticated::bearer(UnauthenticatedKind::UnknownCredentials, why);
        if token.len() > LONGEST {
            return Err(wrong("the token is too long"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let &[head, claims, signature] = &parts[..] else {
            return Err(foreign("the credentials are no token of the identity provider"));
        };
        let decoded = URL_SAFE_NO_PAD.decode(claims).ok();
        let read = decoded.and_then(|claims| parse(&claims).ok());
        let Some(Value::Object(claims)) = read else {
            return Err(foreign("the token's claims are not JSON, or one is there twice"));
        };
        if claims.get("iss").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err(foreign("the token is from another issuer than this host's (`iss`)"));
        }
        let header = Header::read(head).map_err(|why| wrong(format!("the token: {why}")))?;
        if !is_access_token(&header) {
            return Err(wrong("the token says that it is for something else (`typ`)"));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| wrong("the token's signature is not base64url"))?;
        // All of this is checked before keys are fetched, so that it costs nothing.
        self.check(&claims, now)?;
        let key = match self.keys.find(&header.key_id).await {
            Found::Key(key) => key,
            Found::Nothing => return Err(wrong("the token's key is none of the issuer's (`kid`)")),
            Found::Unavailable => {
                return Err(Unauthenticated::bearer(
                    UnauthenticatedKind::Unavailable,
                    "the identity provider's keys cannot be fetched just now: try again later",
                ));
            }
        };
        let (signed, _) = token.rsplit_once('.').unwrap_or_default();
        if header.algorithm != key.algorithm() || !key.has_signed(signed.as_bytes(), &signature) {
            return Err(wrong("the token is not signed with the issuer's key"));
        }
        let caller = self.principal(&claims)?;
        let missing = self.scopes.difference(caller.scopes()).next();
        if missing.is_some() {
            let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
            let scopes = scopes.join(" ");
            let message = format!("the token must have these scopes: {scopes}");
            let challenge =
                format!(r#"Bearer realm="a2a", error="insufficient_scope", scope="{scopes}""#);
            let refusal = Unauthenticated::bearer(UnauthenticatedKind::Forbidden, message);
            return Err(refusal.with_challenge(challenge));
        }
        Ok(caller)
    }

    /// Whether the token is for this host and holds now.
    fn check(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<(), Unauthenticated> {
        let is_ours = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(all)) => all.iter().any(|one| *one == *self.audience),
            _ => false,
        };
        if !is_ours {
            return Err(wrong("the token is for somebody else (`aud`)"));
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = LEEWAY.as_secs_f64();
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(Some)
                .ok_or_else(|| wrong(format!("the token's `{name}` is no number of seconds"))),
        };
        let Some(end) = time("exp")? else {
            return Err(wrong("the token never expires: it must have `exp`"));
        };
        if now >= end + leeway {
            return Err(wrong("the token has expired: get a new one"));
        }
        if time("nbf")?.is_some_and(|begin| now + leeway < begin) {
            return Err(wrong("the token does not hold yet (`nbf`)"));
        }
        Ok(())
    }

    fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, Unauthenticated> {
        let owner = claims.get(&self.claim).and_then(Value::as_str);
        let owner = owner.filter(|owner| !owner.is_empty()).ok_or_else(|| {
            wrong(format!("the token does not say who its owner is (`{}`)", self.claim))
        })?;
        let scopes = match claims.get("scope").or_else(|| claims.get("scp")) {
            Some(Value::String(scopes)) => scopes.split(' ').collect(),
            Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let scopes = scopes.into_iter().filter(|scope| !scope.is_empty());
        Ok(Principal::new(format!("{}#{owner}", self.issuer)).with_scopes(scopes))
    }
}

#[async_trait]
impl Authenticator for BearerJwt {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        let token = bearer_token(&request.headers)?;
        self.authenticate_at(SystemTime::now(), token).await
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        let scheme = HttpAuthSecurityScheme {
            scheme: "Bearer".to_owned(),
            description: Some(format!("A token of {} for {}", self.issuer, self.audience)),
            bearer_format: Some("JWT".to_owned()),
        };
        BTreeMap::from([("jwt".to_owned(), SecurityScheme::HttpAuth(scheme))])
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        vec![HashMap::from([("jwt".to_owned(), self.scopes.iter().cloned().collect())])]
    }
}

fn wrong(why: impl Into<String>) -> Unauthenticated {
    Unauthenticated::bearer(UnauthenticatedKind::WrongCredentials, why)
}

/// Whether the header leaves it open what the token is, or says that it lets somebody in. The same
/// keys may sign other things, which must not be taken for it (RFC 8725, 3.11).
fn is_access_token(header: &Header) -> bool {
    let Some(kind) = header.fields.get("typ") else { return true };
    let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

#[cfg(test)]
mod tests;
