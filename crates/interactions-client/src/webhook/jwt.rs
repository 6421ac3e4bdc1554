//! Addresses that a single request named: tokens signed by the service, as RFC 7519 writes them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use interactions_transport::SharedTransport;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::jwks::Keys;
use super::{Delivery, VerifyError, VerifyErrorKind, WINDOW, header, timestamp};

const GOOGLE: &str = "https://generativelanguage.googleapis.com/.well-known/jwks.json";
/// No honest token is longer.
const LONGEST: usize = 16 * 1024;

/// Verifies deliveries to addresses that a request named in its `webhook_config`.
///
/// The service's keys are fetched when they are first needed and kept for an hour. A key that is
/// not known is looked up again, at most twice a minute, so rotation needs no restart and forged
/// deliveries cost nothing.
///
/// The token says who sent the delivery, to whom and when. Where it has the event among its claims
/// (`event`, as our own server signs them), the body must be that event, and its `jti` is the
/// delivery's id. The API does not document either for Google's tokens, so over plain HTTP the
/// body could be another one: name HTTPS addresses, and read the interaction by its id instead of
/// believing more than the id.
///
/// ```
/// use interactions_client::webhook::JwtVerifier;
/// # use interactions_client::SharedTransport;
///
/// # fn verifier(transport: SharedTransport) -> JwtVerifier {
/// // The address that `webhook_config` named: tokens for anybody else are not for us.
/// JwtVerifier::google(transport, "https://me.example/hooks/interactions")
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JwtVerifier {
    keys: Arc<Keys>,
    /// Without one, tokens for anybody are believed.
    audience: Option<String>,
    issuer: Option<String>,
    window: Duration,
}

impl JwtVerifier {
    /// A verifier that believes Google's keys, for deliveries to `audience` (`aud`): usually the
    /// address that was named.
    #[must_use]
    pub fn google(transport: SharedTransport, audience: impl Into<String>) -> Self {
        Self::new(transport, GOOGLE, audience)
    }

    /// A verifier that believes the keys at an address, a JSON Web Key Set, for deliveries to
    /// `audience` (`aud`): usually the address that was named.
    pub fn new(
        transport: SharedTransport,
        keys_url: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        let keys = Arc::new(Keys::new(transport, keys_url.into()));
        Self { keys, audience: Some(audience.into()), issuer: None, window: WINDOW }
    }

    /// Also believes tokens for others. Whoever gets deliveries of the same service can then send
    /// theirs on to you, so compare the audience elsewhere.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.audience = None;
        self
    }

    /// Wants the token from this issuer (`iss`).
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Bears clocks that are this far apart; five minutes by default.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Verifies a delivery: its headers and its body as it came.
    ///
    /// # Errors
    /// [`VerifyError`], whose kind says what is wrong; [`VerifyErrorKind::Keys`] may pass.
    ///
    /// # Cancellation
    /// Dropping the future is safe: whoever verifies next takes up the fetching of keys.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, VerifyError> {
        self.verify_at(SystemTime::now(), headers, body).await
    }

    /// Verifies a delivery by another clock than the system's.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_at(
        &self,
        now: SystemTime,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Delivery, VerifyError> {
        let token = header(headers, "webhook-signature")?;
        let sent = timestamp(headers, now, self.window)?;
        let claims = self.claims(token).await?;
        self.check(&claims, now)?;
        let named = header(headers, "webhook-id").ok();
        let id = claims.delivery(named, body)?;
        Ok(Delivery::new(id, sent, body))
    }

    async fn claims(&self, token: &str) -> Result<Claims, VerifyError> {
        let malformed = |why| VerifyError::malformed("webhook-signature", why);
        if token.len() > LONGEST {
            return Err(malformed("it is too long for a token"));
        }
        let (signed, signature) =
            token.rsplit_once('.').ok_or_else(|| malformed("it is no token"))?;
        let (head, claims) = signed.split_once('.').ok_or_else(|| malformed("it is no token"))?;
        let head: Head = part(head).ok_or_else(|| malformed("its header is not JSON"))?;
        // The token must not choose how it is verified: neither `none` nor a shared secret.
        if head.alg != "RS256" {
            return Err(VerifyError::signature("the token is not signed by RS256"));
        }
        let id = head.kid.ok_or_else(|| malformed("its header names no key (`kid`)"))?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed("its signature is not base64"))?;
        let key = self.keys.find(&id).await?;
        if !key.has_signed(signed.as_bytes(), &signature) {
            return Err(VerifyError::signature("the token was not signed with the service's key"));
        }
        part(claims).ok_or_else(|| malformed("its claims are not what tokens have"))
    }

    fn check(&self, claims: &Claims, now: SystemTime) -> Result<(), VerifyError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let window = self.window.as_secs_f64();
        let apart = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        // The delivery's own time is not signed; without one in the token it could come for ever.
        let Some(life) = claims.exp.or(claims.iat) else {
            return Err(VerifyError::malformed(
                "webhook-signature",
                "its claims have neither `exp` nor `iat`",
            ));
        };
        if claims.exp.is_none() && now > life + window {
            return Err(VerifyError::expired(apart(now - life), false));
        }
        if let Some(end) = claims.exp.filter(|end| now > end + window) {
            return Err(VerifyError::expired(apart(now - end), false));
        }
        for begin in [claims.nbf, claims.iat].into_iter().flatten() {
            if begin > now + window {
                return Err(VerifyError::expired(apart(begin - now), true));
            }
        }
        if let Some(wanted) = &self.audience
            && !claims.aud.as_ref().is_some_and(|audience| audience.has(wanted))
        {
            return Err(VerifyError::new(
                VerifyErrorKind::Audience,
                format!("the token is not for `{wanted}`"),
            ));
        }
        if let Some(wanted) = &self.issuer
            && claims.iss.as_ref() != Some(wanted)
        {
            return Err(VerifyError::signature(format!("the token is not from `{wanted}`")));
        }
        Ok(())
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    aud: Option<Audience>,
    iss: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
    event: Option<Value>,
}

impl Claims {
    /// The delivery's id, after a look whether id and body are those that were signed.
    fn delivery<'a>(&'a self, named: Option<&'a str>, body: &[u8]) -> Result<&'a str, VerifyError> {
        if let Some(event) = &self.event
            && serde_json::from_slice::<Value>(body).ok().as_ref() != Some(event)
        {
            return Err(VerifyError::signature("the body is not the event that was signed"));
        }
        match (self.jti.as_deref(), named) {
            (Some(signed), Some(named)) if signed != named => {
                Err(VerifyError::signature("`webhook-id` is not the id that was signed"))
            }
            (signed, named) => Ok(signed.or(named).unwrap_or_default()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Many(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}
