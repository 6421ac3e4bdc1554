//! What runs write: their beginning, their events, their end.
//!
//! Each is one statement, a row for a view whose trigger does the rest (`0008_writes.sql`).

use interactions_types::{ApiError, InteractionId, Status, Target, Usage};
use serde_json::json as object;

use super::super::{Chunk, Ending, Lease, NewDelivery, NewInteraction, Progress, StoreError};
use super::SqliteStore;
use super::rows::{failed, fenced, from_now, json, signed};

/// The code of a statement that a trigger has broken off.
const BROKEN_OFF: &str = "1811";

pub(super) async fn insert(
    store: &SqliteStore,
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
    let labels = new.request.labels.as_ref().map(json).transpose()?;
    let content = ending.map(Content::of).transpose()?.unwrap_or_default();
    let running = ending.is_none();
    let mut writer = store.writer.turn().await?;
    sqlx::query(
        "insert into births (id, tenant, parent, model, agent, status, background, request, secrets, input,
                             output, usage, errors, attempt, owner, lease_until, last_seq, created, updated,
                             expires, labels, first_seq, payload, deliveries)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(labels)
    .bind(chunk.map(|chunk| signed(chunk.first_seq)))
    .bind(chunk.map(Chunk::to_payload))
    .bind(content.deliveries)
    .execute(&mut *writer)
    .await
    .map(drop)
    .map_err(failed)
}

pub(super) async fn append(
    store: &SqliteStore,
    lease: &Lease,
    chunk: &Chunk,
    progress: Option<&Progress>,
) -> Result<(), StoreError> {
    let (usage, errors) = match progress {
        Some(progress) => columns(progress.usage.as_ref(), &progress.errors)?,
        None => (None, None),
    };
    sqlx::query(
        "insert into appends (id, owner, attempt, last_seq, usage, errors, attachment, first_seq, payload)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(lease.id.as_str())
    .bind(&lease.owner)
    .bind(lease.attempt)
    .bind(signed(chunk.last_seq()))
    .bind(usage)
    .bind(errors)
    .bind(progress.and_then(|progress| progress.attachment.as_deref()))
    .bind(signed(chunk.first_seq))
    .bind(chunk.to_payload())
    .execute(&mut *store.writer.turn().await?)
    .await
    .map(drop)
    .map_err(|error| by_the_holder(error, lease))
}

pub(super) async fn finish(
    store: &SqliteStore,
    lease: &Lease,
    chunk: Option<&Chunk>,
    ending: &Ending,
) -> Result<(), StoreError> {
    let content = Content::of(ending)?;
    sqlx::query(
        "insert into endings (id, owner, attempt, last_seq, status, output, usage, errors, updated,
                              first_seq, payload, deliveries)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(lease.id.as_str())
    .bind(&lease.owner)
    .bind(lease.attempt)
    .bind(chunk.map(|chunk| signed(chunk.last_seq())))
    .bind(ending.status.as_str())
    .bind(content.output)
    .bind(content.usage)
    .bind(content.errors)
    .bind(ending.updated)
    .bind(chunk.map(|chunk| signed(chunk.first_seq)))
    .bind(chunk.map(Chunk::to_payload))
    .bind(content.deliveries)
    .execute(&mut *store.writer.turn().await?)
    .await
    .map(drop)
    .map_err(|error| by_the_holder(error, lease))
}

/// The triggers break off what comes from a writer without the lease.
fn by_the_holder(error: sqlx::Error, lease: &Lease) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some(BROKEN_OFF) { fenced(lease) } else { failed(error) }
}

/// What a run made, as columns.
#[derive(Default)]
struct Content {
    output: Option<String>,
    usage: Option<String>,
    errors: Option<String>,
    deliveries: Option<String>,
}

impl Content {
    fn of(ending: &Ending) -> Result<Self, StoreError> {
        let (usage, errors) = columns(ending.usage.as_ref(), &ending.errors)?;
        let output = Some(json(&ending.output)?);
        Ok(Self { output, usage, errors, deliveries: told(&ending.deliveries)? })
    }
}

fn columns(
    usage: Option<&Usage>,
    errors: &[ApiError],
) -> Result<(Option<String>, Option<String>), StoreError> {
    let usage = usage.map(json).transpose()?;
    Ok((usage, (!errors.is_empty()).then(|| json(&errors)).transpose()?))
}

fn told(deliveries: &[NewDelivery]) -> Result<Option<String>, StoreError> {
    if deliveries.is_empty() {
        return Ok(None);
    }
    let told: Vec<_> = deliveries
        .iter()
        .map(|it| {
            object!({"id": it.id, "webhook": it.webhook, "uri": it.uri, "payload": it.payload})
        })
        .collect();
    json(&told).map(Some)
}
