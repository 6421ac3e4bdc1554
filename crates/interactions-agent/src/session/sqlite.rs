//! Feature `sqlite`: sessions in a database.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use super::{SessionError, SessionRecord, SessionStore};

/// Sessions in an SQLite file, which several processes may share.
#[derive(Clone, Debug)]
pub struct SqliteSessions(SqlitePool);

impl SqliteSessions {
    /// Opens the file, or makes it. Its table is `agent_sessions`; others are left alone.
    ///
    /// # Errors
    /// [`SessionError`] when it cannot be opened, or is no database.
    pub async fn open(file: &Path) -> Result<Self, SessionError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(10));
        let failed = |error: sqlx::Error| {
            SessionError::new(format!("the database {} cannot be used: {error}", file.display()))
        };
        make_private(file).map_err(|error| {
            SessionError::new(format!("the database {} cannot be made: {error}", file.display()))
        })?;
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(failed)?;
        sqlx::query(
            "create table if not exists agent_sessions (
                 name    text    not null primary key,
                 record  text    not null,           -- JSON
                 updated integer not null            -- milliseconds since 1970
             )",
        )
        .execute(&pool)
        .await
        .map_err(failed)?;
        Ok(Self(pool))
    }
}

/// Makes the file for the owner alone before SQLite makes it for everyone. One that is there is
/// not opened: closing it would give up the locks that this process has on it.
fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn load(&self, name: &str) -> Result<Option<SessionRecord>, SessionError> {
        let record: Option<String> =
            sqlx::query_scalar("select record from agent_sessions where name = ?")
                .bind(name)
                .fetch_optional(&self.0)
                .await
                .map_err(SessionError::new)?;
        let Some(record) = record else { return Ok(None) };
        let record = serde_json::from_str(&record).map_err(|error| {
            SessionError::new(format!("the session `{name}` is damaged: {error}"))
        })?;
        Ok(Some(record))
    }

    async fn save(&self, name: &str, record: &SessionRecord) -> Result<(), SessionError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = i64::try_from(record.revision).unwrap_or(i64::MAX).saturating_sub(1);
        let done = sqlx::query(
            "insert into agent_sessions (name, record, updated)
             select ?1, ?2, ?3 where ?4 = 0 or exists (select 1 from agent_sessions where name = ?1)
             on conflict (name) do update set record = excluded.record, updated = excluded.updated
             where coalesce(iif(json_valid(agent_sessions.record), json_extract(agent_sessions.record, '$.revision'), 0), 0) = ?4",
        )
        .bind(name)
        .bind(serde_json::to_string(record).map_err(SessionError::new)?)
        .bind(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
        .bind(before)
        .execute(&self.0)
        .await
        .map_err(SessionError::new)?;
        if done.rows_affected() == 0 { Err(SessionError::conflict(name)) } else { Ok(()) }
    }

    async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let done = sqlx::query("delete from agent_sessions where name = ?")
            .bind(name)
            .execute(&self.0)
            .await
            .map_err(SessionError::new)?;
        Ok(done.rows_affected() > 0)
    }

    async fn names(&self) -> Result<Vec<String>, SessionError> {
        sqlx::query_scalar("select name from agent_sessions order by name")
            .fetch_all(&self.0)
            .await
            .map_err(SessionError::new)
    }
}
