//! Sessions as files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{SessionError, SessionRecord, SessionStore};

/// Sessions in a folder, a JSON file each, for the owner's eyes only.
#[derive(Clone, Debug)]
pub struct FileSessions(PathBuf);

impl FileSessions {
    /// In this folder, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.json", escaped(name)))
    }

    /// Disks are slow, so this happens beside the runs.
    async fn beside<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, SessionError> + Send + 'static,
    ) -> Result<T, SessionError> {
        tokio::task::spawn_blocking(work).await.map_err(SessionError::new)?
    }
}

#[async_trait]
impl SessionStore for FileSessions {
    async fn load(&self, name: &str) -> Result<Option<SessionRecord>, SessionError> {
        let file = self.file(name);
        Self::beside(move || {
            let text = match fs::read(&file) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(&file, &error)),
            };
            let record = serde_json::from_slice(&text).map_err(|error| {
                SessionError::new(format!("the session in {} is damaged: {error}", file.display()))
            })?;
            Ok(Some(record))
        })
        .await
    }

    async fn save(&self, name: &str, record: &SessionRecord) -> Result<(), SessionError> {
        let (folder, file) = (self.0.clone(), self.file(name));
        let text = serde_json::to_vec(record).map_err(SessionError::new)?;
        Self::beside(move || {
            fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
            // Beside it and then in its place, so that a crash leaves one or the other.
            let draft = file.with_extension("json.new");
            write_private(&draft, &text).map_err(|error| failed(&draft, &error))?;
            fs::rename(&draft, &file).map_err(|error| failed(&file, &error))
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let file = self.file(name);
        Self::beside(move || match fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(&file, &error)),
        })
        .await
    }

    async fn names(&self) -> Result<Vec<String>, SessionError> {
        let folder = self.0.clone();
        Self::beside(move || {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(failed(&folder, &error)),
            };
            let mut names: Vec<String> = entries
                .filter_map(|entry| {
                    unescaped(entry.ok()?.file_name().to_str()?.strip_suffix(".json")?)
                })
                .collect();
            names.sort();
            Ok(names)
        })
        .await
    }
}

fn write_private(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    io::Write::write_all(&mut file, text)?;
    file.sync_all()
}

fn failed(path: &Path, error: &io::Error) -> SessionError {
    SessionError::new(format!("{}: {error}", path.display()))
}

/// Any text as the name of a file: what is not harmless everywhere becomes `%XX`.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
