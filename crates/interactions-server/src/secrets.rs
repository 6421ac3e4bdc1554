//! Secrets at rest: what a request's tools need, sealed until the run that needs it is over.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use interactions_types::{CreateInteraction, Tool};
use url::Url;

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
        let fail =
            |error: io::Error| StartError::new(format!("the key file {}: {error}", path.display()));
        if !path.exists() {
            make_key(path).map_err(fail)?;
        }
        let text = fs::read_to_string(path).map_err(fail)?;
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

    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_BYTES>().ok()?;
        let mut sealed = nonce.to_vec();
        sealed.extend(self.0.encrypt(&XNonce::from(nonce), plain).ok()?);
        Some(sealed)
    }

    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, cipher) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        self.0.decrypt(&XNonce::from(nonce), cipher).ok()
    }

    /// Takes what is secret out of a request's tools and seals it; `None` when nothing is.
    ///
    /// What remains can be stored, logged and shown.
    pub(crate) fn strip(&self, request: &mut CreateInteraction) -> Option<Vec<u8>> {
        self.strip_tools(request.tools.as_deref_mut().unwrap_or_default())
    }

    /// The same for tools that stand alone.
    pub(crate) fn strip_tools(&self, tools: &mut [Tool]) -> Option<Vec<u8>> {
        let mut secret: BTreeMap<usize, Tool> = BTreeMap::new();
        for (index, tool) in tools.iter_mut().enumerate() {
            let whole = tool.clone();
            if take_secrets(tool) {
                secret.insert(index, whole);
            }
        }
        if secret.is_empty() {
            return None;
        }
        self.seal(&serde_json::to_vec(&secret).ok()?)
    }

    /// Puts what was sealed back into a stored request; false when it cannot be opened.
    pub(crate) fn restore(&self, request: &mut CreateInteraction, sealed: &[u8]) -> bool {
        self.restore_tools(request.tools.as_deref_mut().unwrap_or_default(), sealed)
    }

    /// The same for tools that stand alone.
    pub(crate) fn restore_tools(&self, tools: &mut [Tool], sealed: &[u8]) -> bool {
        let opened = self.open(sealed).and_then(|plain| serde_json::from_slice(&plain).ok());
        let Some(mut secret): Option<BTreeMap<usize, Tool>> = opened else {
            return false;
        };
        for (index, tool) in tools.iter_mut().enumerate() {
            if let Some(whole) = secret.remove(&index) {
                *tool = whole;
            }
        }
        true
    }
}

/// Removes a tool's secrets; false when it has none.
pub(crate) fn take_secrets(tool: &mut Tool) -> bool {
    match tool {
        Tool::McpServer(server) => {
            let in_headers = server.headers.take().is_some();
            in_headers | server.url.as_mut().is_some_and(take_url_secrets)
        }
        Tool::Retrieval(retrieval) => {
            let exa = retrieval.exa_ai_search_config.as_mut().map(|exa| &mut exa.api_key);
            let parallel =
                retrieval.parallel_ai_search_config.as_mut().and_then(|it| it.api_key.as_mut());
            let taken = [exa, parallel].map(|key| key.map(std::mem::take).unwrap_or_default());
            taken.iter().any(|key| !key.is_empty())
        }
        _ => false,
    }
}

/// Removes user information and query, where some servers expect their keys.
fn take_url_secrets(url: &mut String) -> bool {
    let Ok(mut bare) = Url::parse(url) else { return false };
    let is_bare = bare.query().is_none() && bare.username().is_empty() && bare.password().is_none();
    if is_bare {
        return false;
    }
    bare.set_query(None);
    // Only URLs without a host refuse these, and they have neither.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    *url = bare.into();
    true
}

/// Makes the key file whole or not at all; of servers that start at once, the first one's stays.
fn make_key(path: &Path) -> io::Result<()> {
    let key = random::<KEY_BYTES>().map_err(io::Error::other)?;
    let suffix = random::<8>().map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{:x}.draft", u64::from_ne_bytes(suffix)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let linked = file
        .write_all(STANDARD.encode(key).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
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
    use interactions_types::{
        ExaAiSearchConfig, Function, McpServer, ParallelAiSearchConfig, Retrieval,
    };

    use super::*;

    #[test]
    fn takes_secrets_out_and_puts_them_back() {
        let vault = Vault::from_base64(&STANDARD.encode([7; KEY_BYTES])).unwrap();
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer hush".to_owned())]);
        let server = McpServer::new().name("s").url("https://example.com/mcp").headers(headers);
        let keyed = McpServer::new().name("k").url("https://u:hush@example.com/mcp?key=hush");
        let search = Retrieval::new()
            .exa_ai_search_config(ExaAiSearchConfig::new("hush"))
            .parallel_ai_search_config(ParallelAiSearchConfig::new().api_key("hush"));
        let tools = vec![server.into(), keyed.into(), Function::new("f").into(), search.into()];
        let whole = CreateInteraction::new("m", "x").tools(tools);

        let mut stripped = whole.clone();
        let sealed = vault.strip(&mut stripped).unwrap();
        assert!(!serde_json::to_string(&stripped).unwrap().contains("hush"));
        assert!(!sealed.windows(4).any(|window| window == b"hush"));
        assert_eq!(vault.strip(&mut stripped), None, "nothing secret is left");

        assert!(vault.restore(&mut stripped, &sealed));
        assert_eq!(stripped, whole);
        let other = Vault::from_base64(&STANDARD.encode([8; KEY_BYTES])).unwrap();
        assert!(!other.restore(&mut stripped, &sealed));
    }

    #[test]
    fn servers_that_start_at_once_agree_on_the_key() {
        let dir = env::temp_dir().join(format!("interactions-key-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("secret.key");
        let request = || {
            let headers = BTreeMap::from([("a".to_owned(), "hush".to_owned())]);
            CreateInteraction::new("m", "x").tools(vec![McpServer::new().headers(headers).into()])
        };
        let sealed: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Vault::from_file(&path).unwrap().strip(&mut request())))
                .collect();
            starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
        });
        let vault = Vault::from_file(&path).unwrap();
        assert!(sealed.iter().all(|sealed| vault.restore(&mut request(), sealed)));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no half-written key stays");
        fs::remove_dir_all(&dir).unwrap();
    }
}
