//! Everything about interactions that are there: get, follow, list, cancel, delete.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_types::{Input, InteractionId, Status};
use serde_json::{Value, json};

use super::extract::{Id, Parameters};
use super::keys::Tenant;
use super::{Face, stream};
use crate::clock;
use crate::engine::{check_label, event_seq, shown};
use crate::error::Refusal;
use crate::store::{LabelFilter, Page, Record, Summary};

const PAGE: u32 = 10;
const LARGEST_PAGE: u32 = 500;
const MOST_LABELS: usize = 32;

/// `GET /interactions/{id}`: its state, or its events.
pub(super) async fn get(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
    query: Parameters,
) -> Result<Response, Refusal> {
    let (streams, include_input) = (query.flag("stream")?, query.flag("include_input")?);
    let last = query.text("last_event_id");
    if last.is_some() && !streams {
        return Err(Refusal::invalid("`last_event_id` goes with `stream=true`"));
    }
    let record = face.engine.load(&tenant, &id).await?;
    if streams {
        let seen = match last {
            None => 0,
            Some(last) => event_seq(&id, last)
                .filter(|seq| (1..=record.last_seq).contains(seq))
                .ok_or_else(|| {
                    Refusal::invalid(format!(
                        "`last_event_id`: interaction {id} has no event '{last}'"
                    ))
                })?,
        };
        if !record.status.is_running() && seen == record.last_seq {
            return Ok(stream::ended());
        }
        let reader = face.engine.metrics().reader();
        return Ok(stream::follow(face.engine.follow(&tenant, &id, seen), reader));
    }
    let input = include_input.then(|| Input::Steps(record.input.clone()));
    let mut interaction = state(&face, record).await?;
    interaction.input = input;
    Ok(Json(interaction).into_response())
}

/// `POST /interactions/{id}/cancel`.
pub(super) async fn cancel(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    cancelled(&face, &tenant, &id).await
}

/// `POST /interactions/{id}:cancel`, which some clients write.
pub(super) async fn colon_verb(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    match id.as_str().strip_suffix(":cancel") {
        Some(id) => cancelled(&face, &tenant, &id.into()).await,
        None => Err(Refusal::not_found("there is nothing to post to here; did you mean /cancel?")),
    }
}

async fn cancelled(face: &Face, tenant: &str, id: &InteractionId) -> Result<Response, Refusal> {
    let record = face.engine.cancel(tenant, id).await?;
    Ok(Json(state(face, record).await?).into_response())
}

/// `DELETE /interactions/{id}`. The answer is 200: Google's clients take 204 for an error.
pub(super) async fn delete(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    face.engine.delete(&tenant, &id).await?;
    Ok(Json(json!({})).into_response())
}

/// `GET /interactions`, newest first.
pub(super) async fn list(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    query: Parameters,
) -> Result<Response, Refusal> {
    let size = query.size("page_size", PAGE, LARGEST_PAGE)?;
    let before = match query.text("page_token") {
        None => None,
        Some(token) => Some(
            read_token(token)
                .ok_or_else(|| Refusal::invalid("`page_token` is not one of this server's"))?,
        ),
    };
    let page = Page {
        size: size + 1,
        before,
        status: query.text("status").map(Status::from),
        model: query.text("model").map(str::to_owned),
        labels: labels(&query)?,
        created_from: query.time("created_after")?,
        created_to: query.time("created_before")?,
    };
    let mut records = face.engine.store.list(&tenant, &page).await?;
    let more = records.len() > size as usize;
    records.truncate(size as usize);
    let next = records.last().filter(|_| more).map(|last| token(last.created, &last.id));
    let entries: Vec<Value> = records.into_iter().map(entry).collect();
    let mut body = json!({"interaction_metadatas": entries});
    if let Some(next) = next {
        body["next_page_token"] = json!(next);
    }
    Ok(Json(body).into_response())
}

/// Reads every `label=key` and `label=key:value`.
fn labels(query: &Parameters) -> Result<Vec<LabelFilter>, Refusal> {
    let labels = query.texts("label").map(|text| {
        let (key, value) = match text.split_once(':') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        check_label("label", key, value.as_deref().unwrap_or_default())?;
        Ok(LabelFilter::new(key, value))
    });
    let labels: Vec<_> = labels.collect::<Result<_, Refusal>>()?;
    if labels.len() > MOST_LABELS {
        return Err(Refusal::invalid(format!(
            "`label`: {} labels are more than the {MOST_LABELS} that one list can be filtered by",
            labels.len()
        )));
    }
    Ok(labels)
}

/// One line of the list: the id, which is all that Google sends, and what people want to see beside it.
fn entry(summary: Summary) -> Value {
    let mut entry = json!({
        "id": summary.id,
        "status": summary.status,
        "created": clock::rfc3339(summary.created),
        "updated": clock::rfc3339(summary.updated),
    });
    if let Some(model) = summary.model {
        entry["model"] = json!(model);
    }
    if let Some(agent) = summary.agent {
        entry["agent"] = json!(agent);
    }
    if let Some(parent) = summary.parent {
        entry["previous_interaction_id"] = json!(parent);
    }
    entry
}

async fn state(face: &Face, record: Record) -> Result<interactions_types::Interaction, Refusal> {
    // While it runs, what it has made stands in its log only.
    let so_far = if record.status.is_running() {
        face.engine.steps_so_far(&record.id).await?
    } else {
        Vec::new()
    };
    Ok(shown(record, so_far))
}

fn token(created: i64, id: &InteractionId) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created} {id}"))
}

fn read_token(token: &str) -> Option<(i64, InteractionId)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (created, id) = text.split_once(' ')?;
    Some((created.parse().ok()?, id.into()))
}
