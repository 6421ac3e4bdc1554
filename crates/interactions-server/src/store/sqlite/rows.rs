//! Between rows and records.

use std::time::Duration;

use interactions_types::{InteractionId, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite};

use super::super::{Lease, Record, StoreError, StoreErrorKind, Summary};
use crate::clock;

pub(super) fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    Ok(Record {
        id: column::<String>(row, "id")?.into(),
        parent: optional::<String>(row, "parent")?.map(InteractionId::from),
        status: Status::from(column::<String>(row, "status")?),
        request: parsed(row, "request")?.unwrap_or_default(),
        input: parsed(row, "input")?.unwrap_or_default(),
        output: parsed(row, "output")?.unwrap_or_default(),
        usage: parsed(row, "usage")?,
        errors: parsed(row, "errors")?.unwrap_or_default(),
        last_seq: column::<i64>(row, "last_seq")?.unsigned_abs(),
        created: column(row, "created")?,
        updated: column(row, "updated")?,
        erased: optional::<i64>(row, "erased")?.is_some(),
    })
}

pub(super) fn summary(row: &SqliteRow) -> Result<Summary, StoreError> {
    Ok(Summary {
        id: column::<String>(row, "id")?.into(),
        parent: optional::<String>(row, "parent")?.map(InteractionId::from),
        model: optional(row, "model")?,
        agent: optional(row, "agent")?,
        status: Status::from(column::<String>(row, "status")?),
        created: column(row, "created")?,
        updated: column(row, "updated")?,
    })
}

pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(name).map_err(|error| {
        StoreError::new(StoreErrorKind::Corrupt, format!("column {name}: {error}"))
    })
}

pub(super) fn optional<'r, T>(row: &'r SqliteRow, name: &str) -> Result<Option<T>, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    column(row, name)
}

pub(super) fn parsed<T: DeserializeOwned>(
    row: &SqliteRow,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let Some(text) = optional::<String>(row, name)? else {
        return Ok(None);
    };
    interactions_types::decode(text.as_bytes()).map(Some).map_err(|error| {
        StoreError::new(StoreErrorKind::Corrupt, format!("column {name}: {error}"))
    })
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::new(StoreErrorKind::Corrupt, error.to_string()))
}

/// A time from now. To be asked for once the writer is there: waiting for it may have taken long.
pub(super) fn from_now(duration: Duration) -> i64 {
    clock::now().saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// SQLite's integers are signed; event numbers never come near the limit.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn fenced(lease: &Lease) -> StoreError {
    StoreError::new(
        StoreErrorKind::Fenced,
        format!("attempt {} of {} has lost its lease", lease.attempt, lease.id),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let kind = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            StoreErrorKind::Corrupt
        }
        // The file is damaged, or is none of SQLite's.
        sqlx::Error::Database(error) if matches!(error.code().as_deref(), Some("11" | "26")) => {
            StoreErrorKind::Corrupt
        }
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(kind, format!("the database failed: {error}"))
}
