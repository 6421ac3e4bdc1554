//! Secrets at rest: tokens and credentials of push configurations.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The key that seals what must not be read from the index.
///
/// A host that is to serve push configurations after a restart needs the same one again.
#[derive(Clone)]
pub struct SecretKey([u8; KEY_BYTES]);

impl SecretKey {
    /// A key of 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 32 bytes in base64, for example from `openssl rand -base64 32`; `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text.trim()).ok()?.try_into().ok()?))
    }

    /// The key in a file, which is made on first use and readable by its owner only.
    ///
    /// # Errors
    /// What the file system says, or [`io::ErrorKind::InvalidData`] when the file is no key.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        match make(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
        Self::from_base64(&fs::read_to_string(path)?).ok_or_else(|| {
            let why = "the file must hold 32 bytes in base64; if the key is lost, delete it";
            io::Error::new(io::ErrorKind::InvalidData, why)
        })
    }

    /// A new key.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn generate() -> io::Result<Self> {
        Ok(Self(random()?))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

fn make(path: &Path) -> io::Result<SecretKey> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let key = SecretKey::generate()?;
    writeln!(file, "{}", STANDARD.encode(key.0))?;
    file.sync_all()?;
    Ok(key)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Seals and opens with one key.
pub(super) struct Vault(XChaCha20Poly1305);

impl Vault {
    pub(super) fn new(key: &SecretKey) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(key.0)))
    }

    pub(super) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_BYTES>().ok()?;
        let mut sealed = nonce.to_vec();
        sealed.extend(self.0.encrypt(&XNonce::from(nonce), plain).ok()?);
        Some(sealed)
    }

    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, cipher) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        self.0.decrypt(&XNonce::from(nonce), cipher).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let dir = std::env::temp_dir().join(format!("a2a-vault-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("key");
        let first = Vault::new(&SecretKey::from_file(&file).unwrap());
        let again = Vault::new(&SecretKey::from_file(&file).unwrap());
        let sealed = first.seal(b"hush").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"hush"));
        assert_eq!(again.open(&sealed).as_deref(), Some(&b"hush"[..]));
        let other = Vault::new(&SecretKey::generate().unwrap());
        assert_eq!(other.open(&sealed), None);
        assert_eq!(other.open(b"short"), None);
        fs::write(&file, "nonsense").unwrap();
        assert_eq!(SecretKey::from_file(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_dir_all(dir).unwrap();
    }
}
