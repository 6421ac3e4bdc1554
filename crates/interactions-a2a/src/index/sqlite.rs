//! The index in one SQLite file: the durable one.

mod file;
mod list;
mod rows;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::query::Query as Statement;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use super::rules::{at_work, beginning, taken};
use super::{Claim, Index, IndexError, Inserted, Page, Position, PushRecord, Query};
use crate::task::{Scope, TaskRecord};
use crate::wire::TaskState;
use file::File;
use rows::{failed, signed, state_name, task_columns, with_task};

/// Tasks in an SQLite file.
///
/// Several processes may share the file. A clone is the same index, and closed with it.
#[derive(Clone)]
pub struct SqliteIndex(Arc<File>);

impl SqliteIndex {
    /// Opens the file, makes it if it is missing, and brings its tables up to date.
    ///
    /// On Unix, a new file and the folders made for it can be read by their owner only; what is
    /// there already keeps its permissions.
    ///
    /// # Errors
    /// [`IndexError`] when the file cannot be opened, belongs to something else, or was made by a
    /// newer version.
    ///
    /// # Cancellation
    /// The future may be dropped: the tables are then as they were, or up to date.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, IndexError> {
        File::open(path.as_ref()).await.map(|file| Self(Arc::new(file)))
    }

    /// Several statements that happen together or not at all.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, IndexError> {
        // Immediate: it never has to turn from reader to writer, which could fail at once.
        self.0.writer.begin_with("begin immediate").await.map_err(failed)
    }
}

impl fmt::Debug for SqliteIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteIndex").finish_non_exhaustive()
    }
}

#[async_trait]
impl Index for SqliteIndex {
    async fn insert(&self, task: &TaskRecord) -> Result<Inserted, IndexError> {
        // Encoded before it is begun, for then nobody else can write.
        let insert = with_task(
            "insert into tasks (owner, agent, id, context, message, state, status_at, created,
                                turns, terminal, unfinished, version, record, place)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
                     (select coalesce(max(place), 0) + 1 from tasks
                      where owner = ?1 and agent = ?2 and context = ?4 and state = ?6))",
            task,
        )?;
        let mut tx = self.begin().await?;
        let known = sqlx::query(concat!(
            "select ",
            task_columns!(),
            " from tasks where owner = ? and agent = ? and message = ?"
        ))
        .bind(&task.scope.owner)
        .bind(&task.scope.agent)
        .bind(beginning(task)?.as_ref())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        if let Some(known) = known {
            return rows::task(&known).map(|task| Inserted::Known(Box::new(task)));
        }
        insert.execute(&mut *tx).await.map_err(|error| {
            let unique = error.as_database_error().is_some_and(|error| error.is_unique_violation());
            if unique { taken(&task.id) } else { failed(error) }
        })?;
        tx.commit().await.map_err(failed)?;
        Ok(Inserted::New)
    }

    async fn task(&self, scope: &Scope, id: &str) -> Result<Option<TaskRecord>, IndexError> {
        let row = sqlx::query(concat!(
            "select ",
            task_columns!(),
            " from tasks where owner = ? and agent = ? and id = ?"
        ))
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(id)
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed)?;
        row.as_ref().map(rows::task).transpose()
    }

    async fn update(&self, task: &TaskRecord) -> Result<bool, IndexError> {
        let next = TaskRecord { version: task.version + 1, ..task.clone() };
        // Encoded before it is begun, for then nobody else can write.
        let replace = replacement(&next)?;
        let mut tx = self.begin().await?;
        let done = replace.execute(&mut *tx).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn claim(&self, scope: &Scope, id: &str) -> Result<Claim, IndexError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(concat!(
            "select ",
            task_columns!(),
            " from tasks where owner = ? and agent = ? and id = ?"
        ))
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(id)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(mut task) = row.as_ref().map(rows::task).transpose()? else {
            return Ok(Claim::No);
        };
        match task.status.state {
            TaskState::Working => {}
            TaskState::Submitted => {
                if !is_next(&mut tx, &task).await? {
                    return Ok(Claim::Wait);
                }
                task = at_work(task);
                replacement(&task)?.execute(&mut *tx).await.map_err(failed)?;
            }
            _ => return Ok(Claim::No),
        }
        let head = head(&mut tx, &task).await?;
        tx.commit().await.map_err(failed)?;
        Ok(Claim::Yes { task: Box::new(task), head })
    }

    async fn waiting(&self, scope: &Scope, context_id: &str) -> Result<Vec<String>, IndexError> {
        sqlx::query_scalar(
            "select id from tasks where owner = ? and agent = ? and context = ? and state = ?
             order by place",
        )
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(context_id)
        .bind(state_name(&TaskState::Submitted)?)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed)
    }

    async fn unfinished(&self) -> Result<Vec<TaskRecord>, IndexError> {
        let found = sqlx::query(concat!(
            "select ",
            task_columns!(),
            " from tasks where unfinished = 1 order by created, id"
        ))
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed)?;
        found.iter().map(rows::task).collect()
    }

    async fn knows_context(&self, scope: &Scope, context_id: &str) -> Result<bool, IndexError> {
        sqlx::query_scalar(
            "select exists (select 1 from tasks where owner = ? and agent = ? and context = ?)",
        )
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(context_id)
        .fetch_one(&self.0.readers)
        .await
        .map_err(failed)
    }

    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, IndexError> {
        list::list(&self.0.readers, scope, query).await
    }

    async fn put_push(&self, push: &PushRecord) -> Result<(), IndexError> {
        sqlx::query(
            "insert or replace into pushes
                 (owner, agent, task, id, url, sealed, turn, updates, ended)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&push.scope.owner)
        .bind(&push.scope.agent)
        .bind(&push.task_id)
        .bind(&push.id)
        .bind(&push.url)
        .bind(&push.sealed)
        .bind(signed(push.position.turn))
        .bind(signed(push.position.updates))
        .bind(push.position.ended)
        .execute(&self.0.writer)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn pushes(&self, scope: &Scope, task_id: &str) -> Result<Vec<PushRecord>, IndexError> {
        let found = sqlx::query(
            "select * from pushes where owner = ? and agent = ? and task = ? order by id",
        )
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(task_id)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed)?;
        found.iter().map(rows::push).collect()
    }

    async fn push_served(
        &self,
        scope: &Scope,
        task_id: &str,
        id: &str,
        position: Position,
    ) -> Result<(), IndexError> {
        sqlx::query(
            "update pushes set turn = ?, updates = ?, ended = ?
             where owner = ? and agent = ? and task = ? and id = ?",
        )
        .bind(signed(position.turn))
        .bind(signed(position.updates))
        .bind(position.ended)
        .bind(&scope.owner)
        .bind(&scope.agent)
        .bind(task_id)
        .bind(id)
        .execute(&self.0.writer)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn delete_push(
        &self,
        scope: &Scope,
        task_id: &str,
        id: &str,
    ) -> Result<bool, IndexError> {
        let done =
            sqlx::query("delete from pushes where owner = ? and agent = ? and task = ? and id = ?")
                .bind(&scope.owner)
                .bind(&scope.agent)
                .bind(task_id)
                .bind(id)
                .execute(&self.0.writer)
                .await
                .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn unserved_pushes(&self) -> Result<Vec<PushRecord>, IndexError> {
        let found = sqlx::query(
            "select pushes.* from pushes
             join tasks on tasks.owner = pushes.owner and tasks.agent = pushes.agent
                       and tasks.id = pushes.task
             where not (tasks.terminal and pushes.ended and pushes.turn + 1 >= tasks.turns)
             order by pushes.task, pushes.id",
        )
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed)?;
        found.iter().map(rows::push).collect()
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

/// Puts a task in the place of its last version.
fn replacement(task: &TaskRecord) -> Result<Statement<'_, Sqlite, SqliteArguments>, IndexError> {
    // A task that stays in its state keeps its place there. The message that began it stays too.
    with_task(
        "update tasks set
             place = case when context = ?4 and state = ?6 then place else
                 (select coalesce(max(other.place), 0) + 1 from tasks other
                  where other.owner = ?1 and other.agent = ?2
                    and other.context = ?4 and other.state = ?6) end,
             context = ?4, state = ?6, status_at = ?7, created = ?8, turns = ?9,
             terminal = ?10, unfinished = ?11, version = ?12, record = ?13
         where owner = ?1 and agent = ?2 and id = ?3 and version = ?12 - 1",
        task,
    )
}

/// Whether nobody in its conversation is at work or came before this task, which waits.
async fn is_next(
    tx: &mut Transaction<'static, Sqlite>,
    task: &TaskRecord,
) -> Result<bool, IndexError> {
    let first: Option<String> = sqlx::query_scalar(
        "select id from tasks where owner = ?1 and agent = ?2 and context = ?3 and state = ?4
             and not exists (select 1 from tasks other where other.owner = ?1
                 and other.agent = ?2 and other.context = ?3 and other.state = ?5)
         order by place limit 1",
    )
    .bind(&task.scope.owner)
    .bind(&task.scope.agent)
    .bind(&task.context_id)
    .bind(state_name(&TaskState::Submitted)?)
    .bind(state_name(&TaskState::Working)?)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(first.is_some_and(|first| first == task.id))
}

/// The last handle of the task that its conversation has completed last.
async fn head(
    tx: &mut Transaction<'static, Sqlite>,
    task: &TaskRecord,
) -> Result<Option<String>, IndexError> {
    let row = sqlx::query(concat!(
        "select ",
        task_columns!(),
        " from tasks where owner = ? and agent = ? and context = ? and state = ?
          order by place desc limit 1"
    ))
    .bind(&task.scope.owner)
    .bind(&task.scope.agent)
    .bind(&task.context_id)
    .bind(state_name(&TaskState::Completed)?)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed)?;
    let last = row.as_ref().map(rows::task).transpose()?;
    Ok(last.and_then(|last| last.last_handle().map(str::to_owned)))
}

#[cfg(test)]
mod tests;
