//! Sessions as files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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
        let (folder, file, name) = (self.0.clone(), self.file(name), name.to_owned());
        let revision = record.revision;
        let text = serde_json::to_vec(record).map_err(SessionError::new)?;
        Self::beside(move || {
            make_private(&folder).map_err(|error| failed(&folder, &error))?;
            // One writer at a time looks and writes, in whatever process.
            let lock = file.with_extension("lock");
            let held = open_private(&lock).and_then(|held| held.lock().map(|()| held));
            let _held = held.map_err(|error| failed(&lock, &error))?;
            let stored = match fs::read(&file) {
                Ok(text) => serde_json::from_slice::<Stored>(&text).unwrap_or_default().revision,
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(failed(&file, &error)),
            };
            if stored + 1 != revision {
                return Err(SessionError::conflict(&name));
            }
            // Beside it and then in its place, so that a crash leaves one or the other. Each writer
            // has a draft of its own, so that two cannot mix.
            static DRAFTS: AtomicU64 = AtomicU64::new(0);
            let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
            let draft = file.with_extension(format!("{}-{number}.new", std::process::id()));
            let written = write_private(&draft, &text)
                .map_err(|error| failed(&draft, &error))
                .and_then(|()| fs::rename(&draft, &file).map_err(|error| failed(&file, &error)));
            if written.is_err() {
                let _ = fs::remove_file(&draft);
                return written;
            }
            // The new name is in the folder only when that is written, too.
            sync_folder(&folder).map_err(|error| failed(&folder, &error))
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

/// What has to be known of a stored session before another one takes its place.
#[derive(Default, serde::Deserialize)]
struct Stored {
    #[serde(default)]
    revision: u64,
}

fn open_private(file: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn write_private(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    // One that a crash has left behind may be anybody's to read.
    let _ = fs::remove_file(file);
    options.create_new(true).write(true);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn many_writers_leave_one_whole_file_that_only_its_owner_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder =
            std::env::temp_dir().join(format!("agent-sessions-many-{}", std::process::id()));
        let store = FileSessions::new(&folder);
        let record = |size: usize| SessionRecord {
            history: vec![interactions_types::Step::user_text("x".repeat(size))],
            revision: 1,
            ..SessionRecord::default()
        };
        let records: Vec<SessionRecord> = (1..=40).map(|n| record(n * 997)).collect();
        let saved =
            futures::future::join_all(records.iter().map(|record| store.save("s", record))).await;
        assert_eq!(saved.iter().filter(|saved| saved.is_ok()).count(), 1, "the first one wins");
        let kept = store.load("s").await.unwrap().unwrap();
        assert!(records.contains(&kept), "one of them, whole");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&store.file("s"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "the lock, and no draft");
        fs::remove_dir_all(folder).unwrap();
    }
}
