//! Secrets at rest: headers of MCP servers, sealed until the run that needs them is over.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use interactions_types::{CreateInteraction, Tool};

use crate::StartError;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Seals and opens secrets with one key.
pub(crate) struct Vault(XChaCha20Poly1305);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    /// Takes the key (32 bytes in base64) from an environment variable.
    pub(crate) fn from_env(name: &str) -> Result<Self, StartError> {
        let text = env::var(name).map_err(|_| {
            StartError::new(format!("secrets.key_env names {name}, which is not set"))
        })?;
        Self::from_base64(&text).ok_or_else(|| {
            StartError::new(format!(
                "{name} must hold 32 bytes in base64, for example from `openssl rand -base64 32`"
            ))
        })
    }

    /// Takes the key from a file, which is made on first use and readable by its owner only.
    pub(crate) fn from_file(path: &Path) -> Result<Self, StartError> {
        let fail = |error: std::io::Error| {
            StartError::new(format!("the key file {}: {error}", path.display()))
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let key =
                    random::<KEY_BYTES>().map_err(|error| StartError::new(error.to_string()))?;
                file.write_all(STANDARD.encode(key).as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(fail)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fail(error)),
        }
        let text = std::fs::read_to_string(path).map_err(fail)?;
        Self::from_base64(&text).ok_or_else(|| {
            StartError::new(format!(
                "the key file {} must hold 32 bytes in base64; if it is lost, delete it",
                path.display()
            ))
        })
    }

    fn from_base64(text: &str) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = STANDARD.decode(text.trim()).ok()?.try_into().ok()?;
        Some(Self(XChaCha20Poly1305::new(&Key::from(bytes))))
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_BYTES>().ok()?;
        let mut sealed = nonce.to_vec();
        sealed.extend(self.0.encrypt(&XNonce::from(nonce), plain).ok()?);
        Some(sealed)
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, cipher) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        self.0.decrypt(&XNonce::from(nonce), cipher).ok()
    }

    /// Takes the secret headers out of a request and seals them; `None` when it has none.
    ///
    /// What remains can be stored, logged and shown.
    pub(crate) fn strip(&self, request: &mut CreateInteraction) -> Option<Vec<u8>> {
        let mut headers: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
        for (index, tool) in request.tools.iter_mut().flatten().enumerate() {
            if let Tool::McpServer(server) = tool
                && let Some(secret) = server.headers.take()
            {
                headers.insert(index, secret);
            }
        }
        if headers.is_empty() {
            return None;
        }
        self.seal(&serde_json::to_vec(&headers).ok()?)
    }

    /// Puts sealed headers back into a stored request; false when they cannot be opened.
    pub(crate) fn restore(&self, request: &mut CreateInteraction, sealed: &[u8]) -> bool {
        let opened = self.open(sealed).and_then(|plain| serde_json::from_slice(&plain).ok());
        let Some(mut headers): Option<BTreeMap<usize, BTreeMap<String, String>>> = opened else {
            return false;
        };
        for (index, tool) in request.tools.iter_mut().flatten().enumerate() {
            if let Tool::McpServer(server) = tool {
                server.headers = headers.remove(&index);
            }
        }
        true
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use interactions_types::McpServer;

    use super::*;

    #[test]
    fn takes_headers_out_and_puts_them_back() {
        let vault = Vault::from_base64(&STANDARD.encode([7; KEY_BYTES])).unwrap();
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer hush".to_owned())]);
        let server = McpServer::new().name("s").url("https://example.com/mcp").headers(headers);
        let whole = CreateInteraction::new("m", "x").tools(vec![server.into()]);

        let mut stripped = whole.clone();
        let sealed = vault.strip(&mut stripped).unwrap();
        assert!(!serde_json::to_string(&stripped).unwrap().contains("hush"));
        assert!(!sealed.windows(4).any(|window| window == b"hush"));

        assert!(vault.restore(&mut stripped, &sealed));
        assert_eq!(stripped, whole);
        let other = Vault::from_base64(&STANDARD.encode([8; KEY_BYTES])).unwrap();
        assert!(!other.restore(&mut stripped, &sealed));
    }
}
