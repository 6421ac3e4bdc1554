//! How deliveries are signed: as Standard Webhooks describes it, or by a token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use super::{SigningKey, SigningSecrets};

/// How long a token is good for, in seconds. Every try gets a new one.
const TOKEN_LIFE: i64 = 300;

/// One signature for each secret in force, apart by spaces.
pub(super) fn shared(
    secrets: &SigningSecrets,
    id: &str,
    seconds: i64,
    body: &str,
) -> Option<String> {
    let signed = format!("{id}.{seconds}.{body}");
    let signatures: Vec<String> = secrets
        .keys()
        .map(|key| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
        })
        .collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// A token for one address. The event is among its claims, so that it is signed too.
pub(super) fn token(
    key: &SigningKey,
    issuer: &str,
    audience: &str,
    id: &str,
    seconds: i64,
    body: &str,
) -> Option<String> {
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": key.id()});
    let claims = json!({
        "iss": issuer,
        "aud": audience,
        "iat": seconds,
        "exp": seconds + TOKEN_LIFE,
        "jti": id,
        "event": serde_json::from_str::<Value>(body).ok()?,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let signature = key.sign(signed.as_bytes())?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
