//! Between rows and records.

use serde_json::Value;
use sqlx::query::Query as Statement;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};

use super::super::rules::{beginning, status_millis};
use super::super::{IndexError, Position, PushRecord};
use crate::task::{Scope, TaskRecord};
use crate::wire::TaskState;

/// The columns that [`task`] wants.
macro_rules! task_columns {
    () => {
        "owner, agent, id, context, state, version, record"
    };
}
pub(super) use task_columns;

/// A statement with every column of a task: `?1` to `?13`, in the order of the table but for
/// `place`, which only the database knows.
pub(super) fn with_task<'q>(
    sql: &'static str,
    task: &'q TaskRecord,
) -> Result<Statement<'q, Sqlite, SqliteArguments>, IndexError> {
    Ok(sqlx::query(sql)
        .bind(&task.scope.owner)
        .bind(&task.scope.agent)
        .bind(&task.id)
        .bind(&task.context_id)
        .bind(beginning(task)?.into_owned())
        .bind(state_name(&task.status.state)?)
        .bind(status_millis(task))
        .bind(task.created.timestamp_millis())
        .bind(signed(task.places()))
        .bind(task.is_terminal())
        .bind(task.is_unfinished())
        .bind(version(task)?)
        .bind(encoded(task)?))
}

fn encoded(task: &TaskRecord) -> Result<String, IndexError> {
    let refused = |why: serde_json::Error| {
        // Not the error's own words: they may repeat what was said to the agent.
        let why = format_args!("{:?} error at column {}", why.classify(), why.column());
        IndexError::new(format_args!(
            "the task `{}` cannot be kept, since its JSON could not be read again ({why}); data in its messages may be nested too deeply",
            task.id
        ))
    };
    let text = serde_json::to_string(task).map_err(refused)?;
    // One row that cannot be read would keep a host from starting, so it must not get in.
    serde_json::from_str::<TaskRecord>(&text).map_err(refused)?;
    Ok(text)
}

/// A task, with a look at whether its row is all of one piece.
pub(super) fn task(row: &SqliteRow) -> Result<TaskRecord, IndexError> {
    let id: String = column(row, "id", "a task")?;
    let what = format!("the task `{id}`");
    let text: String = column(row, "record", &what)?;
    let task: TaskRecord = serde_json::from_str(&text).map_err(|error| {
        let place = format_args!("its record is not readable from column {} on", error.column());
        damaged(&what, place)
    })?;
    let scope =
        Scope::new(column::<String>(row, "owner", &what)?, column::<String>(row, "agent", &what)?);
    let fits = task.id == id
        && task.scope == scope
        && task.context_id == column::<String>(row, "context", &what)?
        && state_name(&task.status.state)? == column::<String>(row, "state", &what)?
        && version(&task)? == column::<i64>(row, "version", &what)?
        && !task.turns.is_empty();
    if fits { Ok(task) } else { Err(damaged(&what, "its record does not fit its row")) }
}

pub(super) fn push(row: &SqliteRow) -> Result<PushRecord, IndexError> {
    let task_id: String = column(row, "task", "a push configuration")?;
    let id: String = column(row, "id", &format!("a push configuration of the task `{task_id}`"))?;
    let what = format!("the push configuration `{id}` of the task `{task_id}`");
    let count = |name| {
        let count = column::<i64>(row, name, &what)?;
        usize::try_from(count).map_err(|_| damaged(&what, format_args!("{name} is {count}")))
    };
    let position = Position {
        turn: count("turn")?,
        updates: count("updates")?,
        ended: column(row, "ended", &what)?,
    };
    let scope =
        Scope::new(column::<String>(row, "owner", &what)?, column::<String>(row, "agent", &what)?);
    let url = column(row, "url", &what)?;
    let sealed = column(row, "sealed", &what)?;
    Ok(PushRecord { scope, task_id, id, url, sealed, position })
}

fn column<'r, T>(row: &'r SqliteRow, name: &str, of: &str) -> Result<T, IndexError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(name).map_err(|_| damaged(of, format_args!("{name} cannot be read")))
}

fn damaged(what: &str, why: impl std::fmt::Display) -> IndexError {
    IndexError::new(format_args!("{what} is damaged: {why}; restore a backup, or delete its row"))
}

/// A state as the protocol writes it.
pub(super) fn state_name(state: &TaskState) -> Result<String, IndexError> {
    match serde_json::to_value(state) {
        Ok(Value::String(name)) => Ok(name),
        _ => Err(IndexError::new(format_args!("the state {state:?} has no name"))),
    }
}

fn version(task: &TaskRecord) -> Result<i64, IndexError> {
    i64::try_from(task.version).map_err(|_| {
        IndexError::new(format_args!("the task `{}` has the version {}", task.id, task.version))
    })
}

/// SQLite's integers are signed; what is counted here never comes near the limit.
pub(super) fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn failed(error: sqlx::Error) -> IndexError {
    match error {
        sqlx::Error::PoolTimedOut => {
            IndexError::new("the file was busy with other work for too long; try again")
        }
        sqlx::Error::PoolClosed => IndexError::new("it is closed"),
        other => IndexError::new(format_args!("the database failed: {other}")),
    }
}
