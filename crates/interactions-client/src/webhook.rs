//! Feature `webhook`: whether a delivery comes from the service.
//!
//! There are two kinds. Registered webhooks ([`Client::webhooks`](crate::Client::webhooks)) are
//! signed with a secret that both sides know, as Standard Webhooks describes; [`Verifier`] checks
//! those. Addresses that a single request named (`webhook_config`) are told with a token that the
//! service signs with a key of its own; [`JwtVerifier`] checks those.
//!
//! Deliveries may come twice; [`Delivery::id`] tells them apart.
//!
//! ```
//! use interactions_client::webhook::Verifier;
//! use interactions_types::WebhookEvent;
//!
//! # fn answer(headers: &http::HeaderMap, body: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! // Both secrets hold while one is being replaced.
//! let verifier = Verifier::new(["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
//! let delivery = verifier.verify(headers, body)?;
//! if let WebhookEvent::InteractionCompleted(event) = delivery.event()? {
//!     println!("{} is done", event.data.id);
//! }
//! # Ok(())
//! # }
//! ```

mod delivery;
mod error;
mod hmac;
mod jwks;
mod jwt;

pub use delivery::Delivery;
pub use error::{VerifyError, VerifyErrorKind};
pub use hmac::Verifier;
pub use jwt::JwtVerifier;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

/// How far a delivery's time may be from ours.
const WINDOW: Duration = Duration::from_secs(300);

/// A header as text.
fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, VerifyError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| VerifyError::missing(name))?;
    // Programs differ in which of two they take; an attacker would choose for them.
    if values.next().is_some() {
        return Err(VerifyError::malformed(name, "it is there twice"));
    }
    let text = value.to_str().map_err(|_| VerifyError::malformed(name, "it is not plain text"))?;
    Ok(text.trim())
}

/// Reads the delivery's time and checks that it is within `window` of `now`.
fn timestamp(
    headers: &HeaderMap,
    now: SystemTime,
    window: Duration,
) -> Result<SystemTime, VerifyError> {
    const NAME: &str = "webhook-timestamp";
    let text = header(headers, NAME)?;
    let not_seconds = || VerifyError::malformed(NAME, "it is not a number of seconds");
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_seconds());
    }
    let seconds = text.parse().map_err(|_| not_seconds())?;
    let sent = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or_else(not_seconds)?;
    let apart = now.duration_since(sent).unwrap_or_else(|ahead| ahead.duration());
    if apart > window {
        return Err(VerifyError::expired(apart, sent > now));
    }
    Ok(sent)
}
