//! Keys of callers, as the store knows them: whose they are, and what they hash to.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{StoreError, StoreErrorKind};
use crate::clock;
use crate::secrets::random;

/// Durable storage of the keys that callers prove themselves with.
#[async_trait]
pub trait KeyStore {
    /// Adds a key.
    async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError>;

    /// Reads all keys, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Forgets a key; false when there is none of this id.
    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError>;
}

/// A key without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Its id, which is no secret.
    pub id: String,
    /// Whose interactions it reaches.
    pub tenant: String,
    /// What people call it; may be empty.
    pub name: String,
    /// What the key hashes to; see [`digest`].
    pub digest: String,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

impl KeyRecord {
    /// A record as a store reads it.
    #[must_use]
    pub fn new(id: String, tenant: String, name: String, digest: String, created: i64) -> Self {
        Self { id, tenant, name, digest, created }
    }

    /// Makes a new key: the secret, which is nowhere else, and the record to [add](KeyStore::add_key).
    ///
    /// # Errors
    /// [`StoreError`] when the operating system has no random bytes.
    pub fn generate(tenant: &str, name: &str) -> Result<(String, Self), StoreError> {
        let fail = |_| {
            let message = "the operating system has no random bytes";
            StoreError::new(StoreErrorKind::Unavailable, message)
        };
        let secret = format!("ik_{}", URL_SAFE_NO_PAD.encode(random::<32>().map_err(fail)?));
        let id = format!("key_{}", URL_SAFE_NO_PAD.encode(random::<9>().map_err(fail)?));
        let record =
            Self::new(id, tenant.to_owned(), name.to_owned(), digest(&secret), clock::now());
        Ok((secret, record))
    }
}

/// What a key hashes to: SHA-256 in hexadecimal.
///
/// Keys are random and long, so a slow hash with salt would protect nothing more.
#[must_use]
pub fn digest(key: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(key.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
