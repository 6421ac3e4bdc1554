//! The secrets that a webhook's deliveries are signed with, during rotation more than one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interactions_types::SigningSecret;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::secrets::{Vault, random};

const PREFIX: &str = "whsec_";
const BYTES: usize = 32;
/// How much of a secret is shown to know it by.
const SHOWN: usize = PREFIX.len() + 4;
/// How long a former secret goes on signing, in milliseconds.
const OVERLAP: i64 = 24 * 60 * 60 * 1000;

/// The secrets of one webhook, newest first. Stored only as the vault seals them.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningSecrets(Vec<Entry>);

#[derive(Serialize, Deserialize)]
struct Entry {
    secret: String,
    /// When it ceases to sign, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
}

impl SigningSecrets {
    /// One new secret; `None` when the operating system has no random bytes.
    pub(crate) fn generate() -> Option<Self> {
        Some(Self(vec![Entry { secret: new_secret()?, expires: None }]))
    }

    pub(crate) fn open(vault: &Vault, sealed: &[u8]) -> Option<Self> {
        serde_json::from_slice(&vault.open(sealed)?).ok()
    }

    pub(crate) fn seal(&self, vault: &Vault) -> Option<Vec<u8>> {
        vault.seal(&serde_json::to_vec(self).ok()?)
    }

    /// The newest secret, to be shown once.
    pub(crate) fn newest(&self) -> &str {
        self.0.first().map_or("", |entry| &entry.secret)
    }

    /// Puts a new secret in front. The former ones end now, or go on signing for a day.
    pub(crate) fn rotate(&mut self, revokes_at_once: bool) -> Option<()> {
        let now = clock::now();
        if revokes_at_once {
            self.0.clear();
        }
        self.0.retain(|entry| entry.expires.is_none_or(|end| end > now));
        for entry in &mut self.0 {
            entry.expires.get_or_insert(now + OVERLAP);
        }
        self.0.insert(0, Entry { secret: new_secret()?, expires: None });
        Some(())
    }

    /// The keys that sign now.
    pub(super) fn keys(&self) -> impl Iterator<Item = Vec<u8>> {
        let now = clock::now();
        let valid = self.0.iter().filter(move |entry| entry.expires.is_none_or(|end| end > now));
        valid.filter_map(|entry| STANDARD.decode(entry.secret.strip_prefix(PREFIX)?).ok())
    }

    /// What callers may see of them.
    pub(crate) fn shown(&self) -> Vec<SigningSecret> {
        let shown = self.0.iter().map(|entry| {
            let shown: String = entry.secret.chars().take(SHOWN).collect();
            let mut secret = SigningSecret::new().truncated_secret(format!("{shown}…"));
            secret.expire_time = entry.expires.map(clock::rfc3339);
            secret
        });
        shown.collect()
    }
}

fn new_secret() -> Option<String> {
    Some(format!("{PREFIX}{}", STANDARD.encode(random::<BYTES>().ok()?)))
}
