//! Keys and headers of what is signed as JSON: RFC 7515 (JWS), RFC 7517 (JWK), RFC 8037 (EdDSA).

mod strict;

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

pub(crate) use strict::parse;

/// How something is signed. There is no `none` and no shared secret: a verifier that knows them
/// can be talked into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    Rs256,
    EdDsa,
}

impl Algorithm {
    /// The algorithm with this name, if it is one of those that are believed.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            // RFC 9864 gives the second name to what is meant by the first.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A public key, which alone decides by which algorithm it verifies.
#[derive(Clone)]
pub(crate) enum PublicKey {
    /// The uncompressed point on P-256.
    Es256([u8; 65]),
    Rs256 {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    EdDsa([u8; 32]),
}

impl PublicKey {
    /// A key as RFC 7517 writes it, with its id; or why it cannot be used for signatures.
    pub(crate) fn from_jwk(jwk: &Value) -> Result<(String, Self), String> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let id = text("kid").filter(|id| !id.is_empty()).ok_or("it has no id (`kid`)")?;
        let fail = |why: &str| Err(format!("the key `{}`: {why}", shortened(id)));
        if jwk.get("d").is_some() {
            return fail("it has its private part (`d`); only the public part belongs here");
        }
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return fail("its `use` is not `sig`");
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|all| !all.iter().any(|one| one == "verify")) {
            return fail("its `key_ops` do not have `verify`");
        }
        let bytes = |name: &str| text(name).and_then(decode);
        let key = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => {
                let mut point = [4; 65];
                match (bytes("x"), bytes("y")) {
                    (Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                        point[1..33].copy_from_slice(&x);
                        point[33..].copy_from_slice(&y);
                        Self::Es256(point)
                    }
                    _ => return fail("its `x` and `y` are not 32 bytes each"),
                }
            }
            (Some("OKP"), Some("Ed25519")) => match bytes("x").map(TryInto::try_into) {
                Some(Ok(x)) => Self::EdDsa(x),
                _ => return fail("its `x` is not 32 bytes"),
            },
            (Some("RSA"), _) => match (bytes("n"), bytes("e")) {
                (Some(n), Some(e)) => {
                    let (modulus, exponent) = (without_zeros(&n), without_zeros(&e));
                    let bits = modulus.len() * 8
                        - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
                    if !(2048..=8192).contains(&bits) {
                        return fail("RSA keys must have 2048 to 8192 bits");
                    }
                    Self::Rs256 { modulus: modulus.to_vec(), exponent: exponent.to_vec() }
                }
                _ => return fail("it has no `n` and `e`"),
            },
            _ => return fail("only EC with P-256, RSA, and OKP with Ed25519 are known"),
        };
        match text("alg") {
            Some(name) if Algorithm::named(name) != Some(key.algorithm()) => {
                fail("its `alg` is none of ES256, RS256 and EdDSA, or does not fit its kind")
            }
            _ => Ok((id.to_owned(), key)),
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256 { .. } => Algorithm::Rs256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether the key's owner has signed this.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.algorithm().name()).finish()
    }
}

/// The protected header of a signature: what of it matters.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: String,
    pub(crate) fields: Map<String, Value>,
}

impl Header {
    /// Reads a header in base64url; or why it is refused.
    pub(crate) fn read(encoded: &str) -> Result<Self, &'static str> {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "its header is not base64url")?;
        let header = parse(&bytes).map_err(|_| "its header is not JSON, or names a field twice")?;
        let Value::Object(fields) = header else { return Err("its header is no JSON object") };
        // Nothing critical is understood here, and so it must be refused (RFC 7515, 4.1.11).
        if fields.contains_key("crit") {
            return Err("its header demands an extension (`crit`) that is not known");
        }
        if fields.get("b64").is_some_and(|encoded| *encoded != Value::Bool(true)) {
            return Err("its payload is not encoded (`b64`), which is not known");
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(Algorithm::named);
        let algorithm = algorithm.ok_or("it is not signed by ES256, RS256 or EdDSA (`alg`)")?;
        let key_id = text("kid").filter(|id| !id.is_empty());
        let key_id = key_id.ok_or("its header names no key (`kid`)")?.to_owned();
        Ok(Self { algorithm, key_id, fields })
    }
}

/// Bytes in base64url. Some who write keys pad them.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text).ok()
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// The beginning of a text that somebody else has written, for messages.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jwk(name: &str) -> Value {
        let keys = include_str!("../tests/cards/keys/jwks.json");
        let keys: Value = serde_json::from_str(keys).expect("the keys are JSON");
        let keys = keys["keys"].as_array().expect("they are a list").clone();
        keys.into_iter().find(|key| key["kid"] == name).expect("there is one by that name")
    }

    #[test]
    fn keys_say_by_what_they_verify() {
        for (name, algorithm) in [
            ("es256", Algorithm::Es256),
            ("rs256", Algorithm::Rs256),
            ("ed25519", Algorithm::EdDsa),
        ] {
            let (id, key) = PublicKey::from_jwk(&jwk(name)).unwrap();
            assert_eq!((id.as_str(), key.algorithm()), (name, algorithm));
        }
    }

    #[test]
    fn keys_for_anything_else_are_refused() {
        let with = |name: &str, field: &str, value: Value| {
            let mut key = jwk(name);
            key[field] = value;
            key
        };
        let weak: Value =
            serde_json::from_str(include_str!("../tests/cards/keys/weak.json")).unwrap();
        for (key, why) in [
            (weak["keys"][0].clone(), "2048"),
            (with("es256", "kid", json!("")), "kid"),
            (with("es256", "kid", Value::Null), "kid"),
            (with("es256", "d", json!("AA")), "private"),
            (with("es256", "use", json!("enc")), "use"),
            (with("es256", "key_ops", json!(["sign"])), "key_ops"),
            (with("es256", "alg", json!("RS256")), "alg"),
            (with("es256", "alg", json!("HS256")), "alg"),
            (with("rs256", "alg", json!("RS512")), "alg"),
            (with("rs256", "alg", json!("PS256")), "alg"),
            (with("es256", "crv", json!("P-384")), "P-256"),
            (with("es256", "x", json!("AAAA")), "32"),
            (with("ed25519", "x", json!("AAAA")), "32"),
            (with("ed25519", "crv", json!("X25519")), "Ed25519"),
            (json!({"kty": "oct", "kid": "a", "k": "AAAA"}), "only"),
            (json!("key"), "kid"),
        ] {
            let error = PublicKey::from_jwk(&key).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn headers_that_ask_for_more_are_refused() {
        for (header, why) in [
            (r#"{"alg":"none","kid":"a"}"#, "ES256"),
            (r#"{"alg":"None","kid":"a"}"#, "ES256"),
            (r#"{"alg":"HS256","kid":"a"}"#, "ES256"),
            (r#"{"alg":5,"kid":"a"}"#, "ES256"),
            (r#"{"kid":"a"}"#, "ES256"),
            (r#"{"alg":"ES256"}"#, "kid"),
            (r#"{"alg":"ES256","kid":7}"#, "kid"),
            (r#"{"alg":"ES256","kid":"a","crit":["exp"]}"#, "crit"),
            (r#"{"alg":"ES256","kid":"a","crit":[]}"#, "crit"),
            (r#"{"alg":"ES256","kid":"a","b64":false}"#, "b64"),
            (r#"{"alg":"none","alg":"ES256","kid":"a"}"#, "twice"),
            (r#"{"alg":"ES256","\u0061lg":"ES256","kid":"a"}"#, "twice"),
            (r#"["ES256"]"#, "object"),
            ("nothing", "JSON"),
        ] {
            let error = Header::read(&URL_SAFE_NO_PAD.encode(header)).unwrap_err();
            assert!(error.contains(why), "{header}: {error}");
        }
        assert!(Header::read("{}").is_err() && Header::read("e30=").is_err());
        let read =
            Header::read(&URL_SAFE_NO_PAD.encode(r#"{"alg":"Ed25519","kid":"a","typ":"JOSE"}"#));
        let read = read.unwrap();
        assert_eq!((read.algorithm, read.key_id.as_str()), (Algorithm::EdDsa, "a"));
        assert_eq!(read.fields["typ"], "JOSE");
    }
}
