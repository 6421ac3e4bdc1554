//! Conversations that outlive the process.

mod file;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use interactions_types::{InteractionId, Step, Usage};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

pub use file::FileSessions;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSessions;

use crate::RunState;

/// Where sessions are kept.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Reads one; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`SessionError`] when it cannot be read.
    async fn load(&self, name: &str) -> Result<Option<SessionRecord>, SessionError>;

    /// Writes one in place of the revision before its own, whole or not at all.
    ///
    /// # Errors
    /// [`SessionError::conflict`] when the store has another revision than the one before (0 is
    /// none): somebody else has gone on with the session. [`SessionError`] when it cannot be written.
    async fn save(&self, name: &str, record: &SessionRecord) -> Result<(), SessionError>;

    /// Forgets one; false when there is none.
    ///
    /// # Errors
    /// [`SessionError`] when it cannot be done.
    async fn remove(&self, name: &str) -> Result<bool, SessionError>;

    /// Their names, sorted.
    ///
    /// # Errors
    /// [`SessionError`] when they cannot be read.
    async fn names(&self) -> Result<Vec<String>, SessionError>;
}

/// What is kept of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionRecord {
    /// How often it was written. A store replaces the revision before this one and no other.
    #[serde(default)]
    pub revision: u64,
    /// The last stored interaction.
    pub head: Option<InteractionId>,
    /// All that was said, so that the conversation goes on even where the service has forgotten it.
    pub history: Vec<Step>,
    /// What the last turn has cost, by which a [`Compactor`](crate::Compactor) judges.
    pub last_usage: Usage,
    /// Results of tools of which the model has not heard, because the run before was stopped.
    #[serde(default)]
    pub unsent: Vec<Step>,
    /// A run that is not over: paused, or broken off with its process.
    pub run: Option<RunState>,
}

/// One conversation in a store. Clones are the same; its runs wait for each other.
///
/// While a run works, it is kept after every turn and every tool, so that after a crash
/// [`Agent::resume_session`](crate::Agent::resume_session) goes on where it was,
/// and no tool that has ended runs again.
#[derive(Clone, Debug)]
pub struct Session {
    name: Arc<str>,
    store: Arc<dyn SessionStore>,
    pub(crate) turn: Arc<Mutex<()>>,
}

impl Session {
    /// The conversation of this name, new or kept.
    pub fn new(store: Arc<dyn SessionStore>, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), store, turn: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is kept of it; empty when nothing was said yet.
    ///
    /// # Errors
    /// [`SessionError`] when it cannot be read.
    pub async fn record(&self) -> Result<SessionRecord, SessionError> {
        Ok(self.store.load(&self.name).await?.unwrap_or_default())
    }

    /// Begins another conversation with all that was said in this one.
    ///
    /// # Errors
    /// [`SessionError`] when there is one of that name already, or the store fails.
    pub async fn fork(&self, name: impl Into<Arc<str>>) -> Result<Self, SessionError> {
        let fork = Self::new(Arc::clone(&self.store), name);
        if self.store.load(&fork.name).await?.is_some() {
            return Err(SessionError::new(format!("there is a session `{}` already", fork.name)));
        }
        let mut record = self.record().await?;
        // What is not over goes on in one place only.
        record.run = None;
        record.revision = 0;
        fork.keep(&mut record).await?;
        Ok(fork)
    }

    /// Gives up a run that is not over. What it has said and done is forgotten.
    ///
    /// # Errors
    /// [`SessionError`] when the store fails.
    pub async fn abandon_run(&self) -> Result<(), SessionError> {
        let mut record = self.record().await?;
        record.run = None;
        self.keep(&mut record).await
    }

    /// Forgets the conversation.
    ///
    /// # Errors
    /// [`SessionError`] when the store fails.
    pub async fn remove(self) -> Result<(), SessionError> {
        self.store.remove(&self.name).await.map(drop)
    }

    pub(crate) async fn keep(&self, record: &mut SessionRecord) -> Result<(), SessionError> {
        record.revision += 1;
        let kept = self.store.save(&self.name, record).await;
        if kept.is_err() {
            record.revision -= 1;
        }
        kept
    }
}

/// Sessions as long as the process lives.
#[derive(Debug, Default)]
pub struct MemorySessions(StdMutex<BTreeMap<String, SessionRecord>>);

impl MemorySessions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SessionRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for MemorySessions {
    async fn load(&self, name: &str) -> Result<Option<SessionRecord>, SessionError> {
        Ok(self.lock().get(name).cloned())
    }

    async fn save(&self, name: &str, record: &SessionRecord) -> Result<(), SessionError> {
        let mut records = self.lock();
        let stored = records.get(name).map_or(0, |stored| stored.revision);
        if stored + 1 != record.revision {
            return Err(SessionError::conflict(name));
        }
        records.insert(name.to_owned(), record.clone());
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        Ok(self.lock().remove(name).is_some())
    }

    async fn names(&self) -> Result<Vec<String>, SessionError> {
        Ok(self.lock().keys().cloned().collect())
    }
}

/// Why a session cannot be kept or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionError(String);

impl SessionError {
    /// An error with its explanation.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// Somebody else has gone on with the session meanwhile.
    #[must_use]
    pub fn conflict(name: &str) -> Self {
        Self(format!(
            "another run has gone on with the session `{name}`; what was done here is in its outcome only"
        ))
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SessionError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every store has to do.
    async fn examine(store: Arc<dyn SessionStore>) {
        let session = Session::new(Arc::clone(&store), "a/../b é");
        assert_eq!(session.record().await.unwrap(), SessionRecord::default());
        let mut record = SessionRecord {
            revision: 0,
            head: Some("v1_x".into()),
            history: vec![Step::user_text("hello")],
            last_usage: Usage::new().total_input_tokens(7),
            unsent: vec![Step::user_text("less")],
            run: Some(RunState::new(vec![Step::user_text("more")])),
        };
        session.keep(&mut record).await.unwrap();
        session.keep(&mut record).await.unwrap();
        assert_eq!(session.record().await.unwrap(), record);
        // Whoever holds an older one cannot write over it, and nobody can begin it anew.
        for revision in [0, 1, 7] {
            let mut stale = SessionRecord { revision, ..record.clone() };
            let error = session.keep(&mut stale).await.unwrap_err().to_string();
            assert!(error.contains("another run"), "{error}");
            assert_eq!(stale.revision, revision);
        }
        assert_eq!(session.record().await.unwrap(), record);

        let fork = session.fork("b").await.unwrap();
        let forked = fork.record().await.unwrap();
        assert_eq!((forked.head, forked.history), (record.head.clone(), record.history.clone()));
        assert_eq!(forked.run, None);
        assert!(session.fork("b").await.unwrap_err().to_string().contains("`b`"));
        assert_eq!(store.names().await.unwrap(), ["a/../b é", "b"]);

        session.abandon_run().await.unwrap();
        assert_eq!(session.record().await.unwrap().run, None);
        fork.remove().await.unwrap();
        assert_eq!(store.names().await.unwrap(), ["a/../b é"]);
        assert!(!store.remove("b").await.unwrap());
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let name = format!("interactions-sessions-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    #[tokio::test]
    async fn every_store_keeps_sessions() {
        examine(Arc::new(MemorySessions::new())).await;
        let folder = folder("file");
        examine(Arc::new(FileSessions::new(&folder))).await;
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_database_keeps_sessions() {
        let folder = folder("sqlite");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("sessions.db");
        examine(Arc::new(SqliteSessions::open(&file).await.unwrap())).await;
        let again = SqliteSessions::open(&file).await.unwrap();
        assert_eq!(again.names().await.unwrap(), ["a/../b é"]);
        #[cfg(unix)]
        for name in ["sessions.db", "sessions.db-wal"] {
            let about = std::fs::metadata(folder.join(name)).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
            assert_eq!(mode & 0o777, 0o600, "{name} is its owner's alone");
        }
        let file = folder.join("junk.db");
        std::fs::write(&file, "no database, and long enough to tell ".repeat(99)).unwrap();
        assert!(SqliteSessions::open(&file).await.is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_that_names_it() {
        let folder = folder("damaged");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("x.json"), "{").unwrap();
        let error = FileSessions::new(&folder).load("x").await.unwrap_err().to_string();
        assert!(error.contains("x.json"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
