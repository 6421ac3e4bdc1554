//! Who may run what: leases are kept alive, taken over and given up.

use std::time::Duration;

use interactions_types::InteractionId;

use super::rows::{column, failed, from_now, json, optional, record, summary};
use super::{Beat, Claim, Lease, SqliteStore, StoreError};
use crate::clock;

pub(super) async fn heartbeat(
    store: &SqliteStore,
    leases: &[Lease],
    lease_for: Duration,
) -> Result<Vec<(Lease, Beat)>, StoreError> {
    let mut writer = store.writer.turn().await?;
    let mut tx = writer.begin().await?;
    let until = from_now(lease_for);
    let mut beats = Vec::with_capacity(leases.len());
    for lease in leases {
        let row = sqlx::query(
            "update interactions set lease_until = ?
             where id = ? and owner = ? and attempt = ? and erased is null and status = 'in_progress'
             returning cancel_requested",
        )
        .bind(until)
        .bind(lease.id.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let beat = match row {
            None => Beat::Lost,
            Some(row) if column::<bool>(&row, "cancel_requested")? => Beat::Cancel,
            Some(_) => Beat::Held,
        };
        beats.push((lease.clone(), beat));
    }
    tx.commit().await.map_err(failed)?;
    writer.settled();
    Ok(beats)
}

/// Runs that nobody holds, given the time and those that the caller itself runs.
///
/// What [`patience_after`](super::super::patience_after) says, in SQL.
macro_rules! orphaned {
    () => {
        "status = 'in_progress' and erased is null
         and (lease_until is null
              or lease_until < ? - case when crashes < 5 then 0 else 1000 << min(crashes - 5, 8) end)
         and id not in (select value from json_each(?))"
    };
}

pub(super) async fn claim(
    store: &SqliteStore,
    owner: &str,
    lease_for: Duration,
    running: &[InteractionId],
    limit: u32,
) -> Result<Vec<Claim>, StoreError> {
    let running = json(&running)?;
    // Looked at by a reader first: nearly always there is nothing, and then nobody writes.
    let any: bool = sqlx::query_scalar(concat!(
        "select exists (select 1 from interactions where ",
        orphaned!(),
        ")"
    ))
    .bind(clock::now())
    .bind(&running)
    .fetch_one(&store.readers)
    .await
    .map_err(failed)?;
    if !any {
        return Ok(Vec::new());
    }
    let mut writer = store.writer.turn().await?;
    let mut tx = writer.begin().await?;
    // An attempt that still has an owner has ended without a word.
    let rows = sqlx::query(concat!(
        "update interactions
         set owner = ?, attempt = attempt + 1, crashes = crashes + (owner is not null), lease_until = ?
         where id in (select id from interactions where ",
        orphaned!(),
        "    order by created limit ?)
         returning *",
    ))
    .bind(owner)
    .bind(from_now(lease_for))
    .bind(clock::now())
    .bind(&running)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    writer.settled();
    rows.iter()
        .map(|row| {
            let id = column::<String>(row, "id")?.into();
            Ok(Claim {
                lease: Lease::new(id, owner.to_owned(), column(row, "attempt")?),
                tenant: column(row, "tenant")?,
                summary: summary(row)?,
                record: record(row),
                secrets: optional(row, "secrets")?,
                attachment: optional(row, "attachment")?,
                cancel_requested: column(row, "cancel_requested")?,
                crashes: column(row, "crashes")?,
            })
        })
        .collect()
}

pub(super) async fn release(store: &SqliteStore, owner: &str) -> Result<(), StoreError> {
    sqlx::query(
        "update interactions set owner = null, lease_until = null
         where owner = ? and status = 'in_progress'",
    )
    .bind(owner)
    .execute(&mut *store.writer.turn().await?)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(super) async fn hand_back(store: &SqliteStore, lease: &Lease) -> Result<(), StoreError> {
    sqlx::query(
        "update interactions set owner = null, lease_until = null
         where id = ? and owner = ? and attempt = ? and status = 'in_progress'",
    )
    .bind(lease.id.as_str())
    .bind(&lease.owner)
    .bind(lease.attempt)
    .execute(&mut *store.writer.turn().await?)
    .await
    .map_err(failed)?;
    Ok(())
}
