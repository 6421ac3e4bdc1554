//! The store in one SQLite file: the embedded default.

mod agents;
mod backup;
mod keys;
mod leases;
mod list;
mod log;
mod rows;
mod webhooks;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use interactions_types::{InteractionId, Status};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::{
    Beat, Chain, Chunk, Claim, Ending, Lease, NewInteraction, Page, Progress, Record, Store,
    StoreError, Summary, Turn,
};
use crate::StartError;
use rows::{column, failed, optional, parsed, record, signed};
use writer::{Writer, WriterTurn};

static MIGRATIONS: Migrator = sqlx::migrate!();

const READERS: u32 = 4;
/// How long a statement waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(10);
/// How often a file is looked at that others bring up to date at the same time.
const LOOKS: u32 = 40;

/// Interactions in an SQLite file.
///
/// One connection writes and several read, so readers never wait for a writer (write-ahead log).
/// Several processes may share the file; leases keep their runs apart.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    /// Whether the write-ahead log may still have what was erased.
    unscrubbed: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StartError`] when the file cannot be opened, is not a database of this program,
    /// or was made by a newer version.
    pub async fn open(path: &Path) -> Result<Self, StartError> {
        let fail = |error: sqlx::Error| explain(path, &error);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            // What was erased must not linger in free pages.
            .pragma("secure_delete", "on");
        private_file(path)?;
        // Migrations on a borrowed connection would make a future that cannot change threads.
        let pool = connect(1, &options).await.map_err(fail)?;
        migrate(path, &pool).await?;
        probe(path, &pool).await?;
        let writer = pool.acquire().await.map_err(fail)?.detach();
        let options = options.create_if_missing(false);
        let readers = connect(READERS, &options.clone().read_only(true)).await.map_err(fail)?;
        let writer = Writer::new(writer, options, BUSY * 2);
        Ok(Self { writer, readers, unscrubbed: Arc::default() })
    }

    /// Takes what was erased out of the write-ahead log, too, where it would linger until somebody
    /// happens to write over it.
    ///
    /// Readers that are at work keep it from happening; then the next sweep does it.
    async fn scrub(&self, writer: &mut WriterTurn<'_>) {
        let scrubbed = async {
            sqlx::query("pragma busy_timeout = 100").execute(&mut **writer).await?;
            let (busy, ..): (i64, i64, i64) =
                sqlx::query_as("pragma wal_checkpoint(truncate)").fetch_one(&mut **writer).await?;
            let usual = format!("pragma busy_timeout = {}", BUSY.as_millis());
            sqlx::query(sqlx::AssertSqlSafe(usual)).execute(&mut **writer).await?;
            Ok::<_, sqlx::Error>(busy == 0)
        };
        let scrubbed = scrubbed.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log keeps what was erased for now");
            false
        });
        self.unscrubbed.store(!scrubbed, Ordering::Release);
    }
}

async fn connect(size: u32, options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let patience = Instant::now() + BUSY;
    loop {
        let pool = SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(BUSY * 2)
            // A connection to a file does not go stale, and asking costs a trip to its thread.
            .test_before_acquire(false)
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
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Reads a row of every table and the roots of what finds it, so that a damaged file is refused
/// when it is opened and not with every request. A whole check would take minutes.
async fn probe(path: &Path, pool: &SqlitePool) -> Result<(), StartError> {
    let fail = |error: sqlx::Error| explain(path, &error);
    let roots: Vec<(String, String)> = sqlx::query_as(
        "select name, 'not indexed' from sqlite_schema
         where type = 'table' and name not like 'sqlite_%'
         union all
         select tbl_name, 'indexed by \"' || name || '\"' from sqlite_schema where type = 'index'",
    )
    .fetch_all(pool)
    .await
    .map_err(fail)?;
    for (table, by) in roots {
        let read = format!("select 1 from \"{table}\" {by} limit 1");
        let read = sqlx::query(sqlx::AssertSqlSafe(read)).fetch_optional(pool).await;
        match read {
            // An index over some rows only cannot stand for all of them.
            Err(error) if error.to_string().contains("no query solution") => {}
            read => drop(read.map_err(fail)?),
        }
    }
    Ok(())
}

/// Makes the file for the owner alone before SQLite makes it for everyone.
fn private_file(path: &Path) -> Result<(), StartError> {
    let fail = |error: std::io::Error| {
        StartError::new(format!("the database {} cannot be opened: {error}", path.display()))
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    // Whoever closes a file gives up all locks that this process has on it, those of SQLite too.
    // So a file that is there is not opened here.
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop).map_err(fail),
    }
}

/// Brings the tables up to date. When several processes open a new file at once, the ones that
/// come too late find the work done, at their second look at the latest.
async fn migrate(path: &Path, pool: &SqlitePool) -> Result<(), StartError> {
    let mut looks = 0;
    loop {
        match MIGRATIONS.run(pool).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) if looks < LOOKS => {
                looks += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(explain_migration(path, error)),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert(
        &self,
        new: &NewInteraction,
        chunk: Option<&Chunk>,
        ending: Option<&Ending>,
    ) -> Result<(), StoreError> {
        log::insert(self, new, chunk, ending).await
    }

    async fn load(&self, tenant: &str, id: &InteractionId) -> Result<Option<Record>, StoreError> {
        let row = sqlx::query("select * from interactions where id = ? and tenant = ?")
            .bind(id.as_str())
            .bind(tenant)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        row.as_ref().map(record).transpose()
    }

    async fn status(&self, tenant: &str, id: &InteractionId) -> Result<Option<Status>, StoreError> {
        let status: Option<String> = sqlx::query_scalar(
            "select status from interactions where id = ? and tenant = ? and erased is null",
        )
        .bind(id.as_str())
        .bind(tenant)
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        Ok(status.map(Status::from))
    }

    async fn chain(
        &self,
        tenant: &str,
        head: &InteractionId,
        depth: u32,
    ) -> Result<Chain, StoreError> {
        let rows = sqlx::query(
            "with recursive chain(id, parent, depth) as (
                 select id, parent, 1 from interactions where id = ? and tenant = ?
                 union all
                 select up.id, up.parent, chain.depth + 1
                 from chain join interactions up on up.id = chain.parent and up.tenant = ?
                 where chain.depth < ?
             )
             select i.id, i.parent, i.status, i.input, i.output, i.erased
             from chain join interactions i on i.id = chain.id order by chain.depth desc",
        )
        .bind(head.as_str())
        .bind(tenant)
        .bind(tenant)
        .bind(depth)
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let missing = match rows.first() {
            Some(root) => optional::<String>(root, "parent")?.map(InteractionId::from),
            None => None,
        };
        let turns = rows
            .iter()
            .map(|row| {
                Ok(Turn {
                    id: column::<String>(row, "id")?.into(),
                    status: Status::from(column::<String>(row, "status")?),
                    input: parsed(row, "input")?.unwrap_or_default(),
                    output: parsed(row, "output")?.unwrap_or_default(),
                    erased: optional::<i64>(row, "erased")?.is_some(),
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Chain { turns, missing })
    }

    async fn append(
        &self,
        lease: &Lease,
        chunk: &Chunk,
        progress: Option<&Progress>,
    ) -> Result<(), StoreError> {
        log::append(self, lease, chunk, progress).await
    }

    async fn finish(
        &self,
        lease: &Lease,
        chunk: Option<&Chunk>,
        ending: &Ending,
    ) -> Result<(), StoreError> {
        log::finish(self, lease, chunk, ending).await
    }

    async fn events_after(
        &self,
        id: &InteractionId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, StoreError> {
        let rows = sqlx::query(
            // From the last chunk that begins in time, so that those before it are not looked at.
            "select first_seq, payload from chunks
             where interaction = ? and last_seq > ?
               and first_seq >= coalesce((select max(first_seq) from chunks where interaction = ? and first_seq <= ?), 0)
             order by first_seq limit ?",
        )
        .bind(id.as_str())
        .bind(signed(seq))
        .bind(id.as_str())
        .bind(signed(seq))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                let first: i64 = column(row, "first_seq")?;
                Ok(Chunk::from_payload(first.unsigned_abs(), &column::<String>(row, "payload")?))
            })
            .collect()
    }

    async fn request_cancel(&self, tenant: &str, id: &InteractionId) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "update interactions set cancel_requested = 1
             where id = ? and tenant = ? and erased is null and status = 'in_progress'",
        )
        .bind(id.as_str())
        .bind(tenant)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn heartbeat(
        &self,
        leases: &[Lease],
        lease_for: Duration,
    ) -> Result<Vec<(Lease, Beat)>, StoreError> {
        leases::heartbeat(self, leases, lease_for).await
    }

    async fn claim(
        &self,
        owner: &str,
        lease_for: Duration,
        running: &[InteractionId],
        limit: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        leases::claim(self, owner, lease_for, running, limit).await
    }

    async fn release(&self, owner: &str) -> Result<(), StoreError> {
        leases::release(self, owner).await
    }

    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        leases::hand_back(self, lease).await
    }

    async fn erase(&self, tenant: &str, id: &InteractionId, now: i64) -> Result<bool, StoreError> {
        let mut writer = self.writer.turn().await?;
        let mut tx = writer.begin().await?;
        let erased = erase_within(&mut tx, tenant, id, now).await?;
        tx.commit().await.map_err(failed)?;
        writer.settled();
        if erased {
            self.scrub(&mut writer).await;
        }
        Ok(erased)
    }

    async fn list(&self, tenant: &str, page: &Page) -> Result<Vec<Summary>, StoreError> {
        list::list(self, tenant, page).await
    }

    async fn expire(&self, now: i64) -> Result<u64, StoreError> {
        let expired: Vec<(String, String)> = sqlx::query_as(
            "select tenant, id from interactions where expires < ? and status <> 'in_progress' limit 500",
        )
        .bind(now)
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        if expired.is_empty() && !self.unscrubbed.load(Ordering::Acquire) {
            return Ok(0);
        }
        let mut writer = self.writer.turn().await?;
        let mut erased = 0;
        if !expired.is_empty() {
            let mut tx = writer.begin().await?;
            for (tenant, id) in expired {
                erased += u64::from(erase_within(&mut tx, &tenant, &id.into(), now).await?);
            }
            tx.commit().await.map_err(failed)?;
            writer.settled();
        }
        self.scrub(&mut writer).await;
        Ok(erased)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A store that can read and not write is of no use to anybody.
        sqlx::query("select 1 from interactions limit 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        let mut writer = self.writer.turn().await?;
        let mut tx = writer.begin().await?;
        // A number that nobody reads: only what is written down shows that there is room for it.
        let now = u32::try_from(crate::clock::now() / 1000 % 0x4000_0000).unwrap_or_default();
        sqlx::query(sqlx::AssertSqlSafe(format!("pragma user_version = {now}")))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        writer.settled();
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Erases the content of an interaction; false when there is none.
async fn erase_within(
    tx: &mut SqliteConnection,
    tenant: &str,
    id: &InteractionId,
    now: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
            "update interactions
             set erased = ?, updated = ?, request = null, secrets = null, attachment = null, input = null, output = null,
                 usage = null, errors = null, owner = null, lease_until = null, expires = null,
                 status = case status when 'in_progress' then 'cancelled' else status end
             where id = ? and tenant = ? and erased is null",
        )
        .bind(now)
        .bind(now)
        .bind(id.as_str())
        .bind(tenant)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for content in
        ["delete from chunks where interaction = ?", "delete from labels where interaction = ?"]
    {
        sqlx::query(content).bind(id.as_str()).execute(&mut *tx).await.map_err(failed)?;
    }
    // What its caller wanted to be told with it, and where.
    sqlx::query(
        "delete from deliveries where tenant = ? and webhook is null and instr(payload, ?)",
    )
    .bind(tenant)
    .bind(id.as_str())
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    Ok(true)
}

fn explain(path: &Path, error: &sqlx::Error) -> StartError {
    let advice = match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some("26") => "; it is not an SQLite database, so name another file with --database",
        Some("11") => {
            "; the file is damaged, so restore a backup or name another file with --database"
        }
        Some("14") => "; look at the permissions of the file and its folder",
        _ => "",
    };
    StartError::new(format!("the database {} cannot be opened: {error}{advice}", path.display()))
}

fn explain_migration(path: &Path, error: MigrateError) -> StartError {
    let path = path.display();
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            StartError::new(format!(
                "the database {path} was made by a newer version of this program (schema {version}); update the program, or name another file with --database"
            ))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain(Path::new(&path.to_string()), &error)
        }
        MigrateError::VersionMismatch(_) => StartError::new(format!(
            "the database {path} was made by a development version of this program, whose tables \
             were different; move it away, or keep data elsewhere with --data-dir or --database"
        )),
        other => {
            StartError::new(format!("the database {path} cannot be brought up to date: {other}"))
        }
    }
}

#[cfg(test)]
mod migration_tests;
#[cfg(test)]
mod tests;
