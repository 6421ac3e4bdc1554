//! The key pair that signs deliveries to addresses which requests have named.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rsa::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};

const BITS: usize = 2048;

/// A key pair under its id.
pub(crate) struct SigningKey {
    id: String,
    pair: RsaKeyPair,
}

/// Makes a private key, as PKCS #8; `None` if that fails, which it never should.
///
/// It takes a good part of a second. `rsa` makes the key only; `ring` signs with it.
pub(crate) fn make_key() -> Option<Vec<u8>> {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).ok()?;
    Some(key.to_pkcs8_der().ok()?.as_bytes().to_vec())
}

impl SigningKey {
    pub(crate) fn read(id: String, private: &[u8]) -> Option<Self> {
        Some(Self { id, pair: RsaKeyPair::from_pkcs8(private).ok()? })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
        Some(signature)
    }

    /// The public half as a JSON Web Key.
    pub(crate) fn public(&self) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}
