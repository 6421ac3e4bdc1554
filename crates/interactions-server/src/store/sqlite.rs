//! The store in one SQLite file: the embedded default.

mod agents;
mod backup;
mod keys;
mod leases;
mod list;
mod rows;
mod webhooks;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use interactions_types::{ApiError, InteractionId, Status, Target, Usage};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use super::{
    Beat, Chain, Chunk, Claim, Ending, Lease, NewInteraction, Page, Progress, Record, Store,
    StoreError, Summary, Turn,
};
use crate::StartError;
use rows::{column, failed, fenced, from_now, json, optional, parsed, record, signed};

static MIGRATIONS: Migrator = sqlx::migrate!();

const READERS: u32 = 4;
/// How long a statement waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(10);

/// Interactions in an SQLite file.
///
/// One connection writes and several read, so readers never wait for a writer (write-ahead log).
/// Several processes may share the file; leases keep their runs apart.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
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
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY * 2)
            .connect_with(options.clone())
            .await
            .map_err(fail)?;
        MIGRATIONS.run(&writer).await.map_err(|error| explain_migration(path, error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY * 2)
            .connect_with(options.create_if_missing(false).read_only(true))
            .await
            .map_err(fail)?;
        Ok(Self { writer, readers })
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        // Immediate: the transaction never has to turn from reader to writer, which could fail at once.
        self.writer.begin_with("begin immediate").await.map_err(failed)
    }
}

/// Makes the file for the owner alone before SQLite makes it for everyone.
fn private_file(path: &Path) -> Result<(), StartError> {
    let fail = |error: std::io::Error| {
        StartError::new(format!("the database {} cannot be opened: {error}", path.display()))
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(fail)
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert(
        &self,
        new: &NewInteraction,
        chunk: Option<&Chunk>,
        ending: Option<&Ending>,
    ) -> Result<(), StoreError> {
        let (model, agent) = match new.request.named_target() {
            Some(Target::Model(model)) => (Some(String::from(model)), None),
            Some(Target::Agent(agent)) => (None, Some(String::from(agent))),
            _ => (None, None),
        };
        let (request, input) = (json(&new.request)?, json(&new.input)?);
        let content = ending.map(Content::of).transpose()?.unwrap_or_default();
        let running = ending.is_none();
        let mut tx = self.write().await?;
        sqlx::query(
            "insert into interactions (id, tenant, parent, model, agent, status, background, request, secrets, input,
                                       output, usage, errors, attempt, owner, lease_until, last_seq, created, updated, expires)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.lease.id.as_str())
        .bind(&new.tenant)
        .bind(new.request.previous_interaction_id.as_ref().map(InteractionId::as_str))
        .bind(model)
        .bind(agent)
        .bind(ending.map_or(Status::InProgress.as_str(), |ending| ending.status.as_str()))
        .bind(new.request.background.unwrap_or(false))
        .bind(request)
        .bind(new.secrets.as_deref().filter(|_| running))
        .bind(input)
        .bind(content.output)
        .bind(content.usage)
        .bind(content.errors)
        .bind(new.lease.attempt)
        .bind(running.then_some(&new.lease.owner))
        .bind(running.then(|| from_now(new.lease_for)))
        .bind(chunk.map_or(0, |chunk| signed(chunk.last_seq())))
        .bind(new.created)
        .bind(ending.map_or(new.created, |ending| ending.updated))
        .bind(new.expires)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        for (key, value) in new.request.labels.iter().flatten() {
            sqlx::query(
                "insert into labels (tenant, interaction, key, value, created) values (?, ?, ?, ?, ?)",
            )
            .bind(&new.tenant)
            .bind(new.lease.id.as_str())
            .bind(key)
            .bind(value)
            .bind(new.created)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        }
        if let Some(chunk) = chunk {
            insert_chunk(&mut tx, &new.lease.id, chunk).await?;
        }
        if let Some(ending) = ending {
            webhooks::post(&mut tx, &new.tenant, &ending.deliveries, ending.updated).await?;
        }
        tx.commit().await.map_err(failed)
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
        let mut tx = self.write().await?;
        append(&mut tx, lease, chunk, progress).await?;
        tx.commit().await.map_err(failed)
    }

    async fn finish(
        &self,
        lease: &Lease,
        chunk: Option<&Chunk>,
        ending: &Ending,
    ) -> Result<(), StoreError> {
        let content = Content::of(ending)?;
        let mut tx = self.write().await?;
        if let Some(chunk) = chunk {
            append(&mut tx, lease, chunk, None).await?;
        }
        let done = sqlx::query(
            "update interactions
             set status = ?, output = ?, usage = ?, errors = ?, updated = ?, secrets = null, attachment = null, owner = null, lease_until = null
             where id = ? and owner = ? and attempt = ? and erased is null",
        )
        .bind(ending.status.as_str())
        .bind(content.output)
        .bind(content.usage)
        .bind(content.errors)
        .bind(ending.updated)
        .bind(lease.id.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(fenced(lease));
        }
        if !ending.deliveries.is_empty() {
            let tenant: String = sqlx::query_scalar("select tenant from interactions where id = ?")
                .bind(lease.id.as_str())
                .fetch_one(&mut *tx)
                .await
                .map_err(failed)?;
            webhooks::post(&mut tx, &tenant, &ending.deliveries, ending.updated).await?;
        }
        tx.commit().await.map_err(failed)
    }

    async fn events_after(
        &self,
        id: &InteractionId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, StoreError> {
        let rows = sqlx::query(
            "select first_seq, payload from chunks where interaction = ? and last_seq > ? order by first_seq limit ?",
        )
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
        .execute(&self.writer)
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
        let mut tx = self.write().await?;
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
        tx.commit().await.map_err(failed)?;
        Ok(true)
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
        let mut erased = 0;
        for (tenant, id) in expired {
            erased += u64::from(self.erase(&tenant, &id.into(), now).await?);
        }
        Ok(erased)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.readers).await.map(drop).map_err(failed)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn append(
    tx: &mut Transaction<'static, Sqlite>,
    lease: &Lease,
    chunk: &Chunk,
    progress: Option<&Progress>,
) -> Result<(), StoreError> {
    let (usage, errors) = match progress {
        Some(progress) => columns(progress.usage.as_ref(), &progress.errors)?,
        None => (None, None),
    };
    let attachment = progress.and_then(|progress| progress.attachment.as_deref());
    let held = sqlx::query(
        "update interactions
         set last_seq = ?, usage = coalesce(?, usage), errors = coalesce(?, errors),
             attachment = coalesce(?, attachment)
         where id = ? and owner = ? and attempt = ? and erased is null and status = 'in_progress'",
    )
    .bind(signed(chunk.last_seq()))
    .bind(usage)
    .bind(errors)
    .bind(attachment)
    .bind(lease.id.as_str())
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    if held.rows_affected() == 0 {
        return Err(fenced(lease));
    }
    insert_chunk(tx, &lease.id, chunk).await
}

async fn insert_chunk(
    tx: &mut Transaction<'static, Sqlite>,
    id: &InteractionId,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into chunks (interaction, first_seq, last_seq, payload) values (?, ?, ?, ?)",
    )
    .bind(id.as_str())
    .bind(signed(chunk.first_seq))
    .bind(signed(chunk.last_seq()))
    .bind(chunk.to_payload())
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// What a run made, as columns.
#[derive(Default)]
struct Content {
    output: Option<String>,
    usage: Option<String>,
    errors: Option<String>,
}

impl Content {
    fn of(ending: &Ending) -> Result<Self, StoreError> {
        let (usage, errors) = columns(ending.usage.as_ref(), &ending.errors)?;
        Ok(Self { output: Some(json(&ending.output)?), usage, errors })
    }
}

fn columns(
    usage: Option<&Usage>,
    errors: &[ApiError],
) -> Result<(Option<String>, Option<String>), StoreError> {
    let usage = usage.map(json).transpose()?;
    Ok((usage, (!errors.is_empty()).then(|| json(&errors)).transpose()?))
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
