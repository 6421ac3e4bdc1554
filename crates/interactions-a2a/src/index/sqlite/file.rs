//! The file: how it is made, opened and brought up to date.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::super::IndexError;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!();

/// Where the migrations that a file has are noted.
const APPLIED: &str = "_sqlx_migrations";
/// The mark that the first migration puts on a file.
const APPLICATION: i64 = 0x4132_4149;
const READERS: u32 = 4;
/// How long a statement waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(10);

/// An open file: one connection writes and several read, so that readers never wait for a writer.
pub(super) struct File {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl File {
    pub(super) async fn open(path: &Path) -> Result<Self, IndexError> {
        // An absolute path is never one of the names that mean something else to SQLite.
        let path = std::path::absolute(path).map_err(|error| refused(path, error))?;
        make_private(&path).map_err(|error| refused(&path, error))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(BUSY)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            // What was replaced must not linger in free pages.
            .pragma("secure_delete", "on");
        check_origin(&path).await?;
        let writer = connect(1, &options).await.map_err(|error| explain(&path, &error))?;
        if let Err(error) = migrate(&path, &writer).await {
            writer.close().await;
            return Err(error);
        }
        let readers = connect(READERS, &options.read_only(true)).await;
        let readers = readers.map_err(|error| explain(&path, &error))?;
        Ok(Self { writer, readers })
    }

    /// The readers go first: the last to leave tidies the file up, for which it has to write.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file for its owner alone, before SQLite makes it for everyone.
fn make_private(path: &Path) -> std::io::Result<()> {
    // Whoever closes a file gives up all locks that this process has on it, those of SQLite too.
    // So a file that is there is not opened here, and a new one is closed before anybody sees it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if path.try_exists()? {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(parent)?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

async fn connect(size: u32, options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let patience = Instant::now() + BUSY;
    loop {
        let pool = SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(BUSY * 2)
            // A connection to a file does not go stale.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await;
        match pool {
            // While a new file becomes one with a write-ahead log, SQLite does not wait by itself.
            Err(error) if is_busy(&error) && Instant::now() < patience => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            pool => return pool,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    // The low byte of a code says what it is, the others say why.
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// Refuses what another program has made, before anything of it is changed: even the kind of
/// journal is written into the file.
async fn check_origin(path: &Path) -> Result<(), IndexError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
    let pool = connect(1, &options).await.map_err(|error| explain(path, &error))?;
    let checked = match pool.acquire().await {
        Ok(mut connection) => origin(path, &mut connection).await,
        Err(error) => Err(explain(path, &error)),
    };
    pool.close().await;
    checked
}

async fn origin(path: &Path, connection: &mut SqliteConnection) -> Result<(), IndexError> {
    // In one statement, so that it cannot change in between.
    let (application, tables): (i64, i64) = sqlx::query_as(
        "select application_id, (select count(*) from sqlite_schema where tbl_name <> ?)
         from pragma_application_id",
    )
    .bind(APPLIED)
    .fetch_one(connection)
    .await
    .map_err(|error| explain(path, &error))?;
    if application == APPLICATION || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(refused(path, "it is a database of something else, so name another file"))
}

/// Brings the tables up to date: alone, and in one step.
async fn migrate(path: &Path, writer: &SqlitePool) -> Result<(), IndexError> {
    let fail = |error: sqlx::Error| explain(path, &error);
    let mut tx = writer.begin_with("begin immediate").await.map_err(fail)?;
    // Looked at again: the file may have become something else's while it was waited for.
    origin(path, &mut tx).await?;
    let fail = |error: MigrateError| refused(path, error);
    tx.ensure_migrations_table(APPLIED).await.map_err(fail)?;
    let applied = tx.list_applied_migrations(APPLIED).await.map_err(fail)?;
    for done in &applied {
        match MIGRATIONS.iter().find(|known| known.version == done.version) {
            None => {
                let version = done.version;
                return Err(refused(
                    path,
                    format_args!(
                        "it was made by a newer version of this program (schema {version}), so update the program or name another file"
                    ),
                ));
            }
            Some(known) if known.checksum != done.checksum => {
                return Err(refused(
                    path,
                    "it was made by a development version of this program, whose tables were different, so move it away or name another file",
                ));
            }
            Some(_) => {}
        }
    }
    for migration in MIGRATIONS.iter() {
        if applied.iter().all(|done| done.version != migration.version) {
            tx.apply(APPLIED, migration).await.map_err(fail)?;
        }
    }
    tx.commit().await.map_err(|error| explain(path, &error))
}

fn explain(path: &Path, error: &sqlx::Error) -> IndexError {
    let advice = match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some("26") => "; it is not an SQLite database, so name another file",
        Some("11") => "; the file is damaged, so restore a backup or name another file",
        Some("8" | "14") => "; look at the permissions of the file and its folder",
        _ => "",
    };
    refused(path, format_args!("{error}{advice}"))
}

fn refused(path: &Path, why: impl fmt::Display) -> IndexError {
    IndexError::new(format_args!("the file {} cannot be used: {why}", path.display()))
}
