//! Registered webhooks: signatures with a shared secret, as Standard Webhooks describes them.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use super::{Delivery, VerifyError, VerifyErrorKind, WINDOW, header, timestamp};

/// The most signatures that one delivery may carry; a few keys overlap, not dozens.
const MOST_SIGNATURES: usize = 32;

/// Verifies deliveries to registered webhooks.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<hmac::Key>,
    window: Duration,
}

impl Verifier {
    /// A verifier that believes whoever knows one of these secrets (`whsec_…`).
    ///
    /// # Errors
    /// [`VerifyErrorKind::Config`] without a secret, or with one that is not base64.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, VerifyError> {
        let config = |why: &str| VerifyError::new(VerifyErrorKind::Config, why);
        let key = |secret: S| {
            let text = secret.as_ref().trim();
            let bytes = STANDARD
                .decode(text.strip_prefix("whsec_").unwrap_or(text))
                .map_err(|_| config("a signing secret is not base64 after `whsec_`"))?;
            if bytes.is_empty() {
                return Err(config("a signing secret is empty"));
            }
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        let keys: Vec<_> = secrets.into_iter().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(config("there is no signing secret to verify with"));
        }
        Ok(Self { keys, window: WINDOW })
    }

    /// Believes deliveries this far from our clock, either way; five minutes by default.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Verifies a delivery: its headers and its body, byte by byte as it came.
    ///
    /// # Errors
    /// [`VerifyError`], whose kind says what is wrong. Nothing of the body is to be believed then.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, VerifyError> {
        self.verify_at(SystemTime::now(), headers, body)
    }

    /// Verifies a delivery by another clock than the system's.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_at(
        &self,
        now: SystemTime,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Delivery, VerifyError> {
        let id = header(headers, "webhook-id")?;
        let signatures = header(headers, "webhook-signature")?;
        let sent = timestamp(headers, now, self.window)?;
        let seconds = header(headers, "webhook-timestamp")?;
        let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
        let fits = |signature: &str| {
            // Other versions than this one may come beside it.
            let bytes = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            // The comparison takes the same time wherever the two differ.
            bytes.is_some_and(|bytes| {
                self.keys.iter().any(|key| hmac::verify(key, &signed, &bytes).is_ok())
            })
        };
        if !signatures.split_ascii_whitespace().take(MOST_SIGNATURES).any(fits) {
            return Err(VerifyError::signature(
                "no signature of the delivery was made with one of the secrets",
            ));
        }
        Ok(Delivery::new(id, sent, body))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("secrets", &self.keys.len())
            .field("window", &self.window)
            .finish()
    }
}
