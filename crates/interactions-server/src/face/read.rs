//! Everything about interactions that are there: get, follow, list, cancel, delete.

use std::collections::HashMap;

use axum::extract::{Query, RawPathParams, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_types::{Input, InteractionId, Status};
use serde_json::{Value, json};

use super::keys::Tenant;
use super::{Face, stream};
use crate::clock;
use crate::engine::{event_seq, shown};
use crate::error::Refusal;
use crate::store::{Page, Record, Summary};

type Parameters = Query<HashMap<String, String>>;

const PAGE: u32 = 10;
const LARGEST_PAGE: u32 = 500;

/// `GET /interactions/{id}`: its state, or its events.
pub(super) async fn get(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    path: RawPathParams,
    Query(query): Parameters,
) -> Result<Response, Refusal> {
    let id = id(&path);
    let (streams, include_input) = (flag(&query, "stream")?, flag(&query, "include_input")?);
    let last = query.get("last_event_id").filter(|last| !last.is_empty());
    if last.is_some() && !streams {
        return Err(Refusal::invalid("`last_event_id` goes with `stream=true`"));
    }
    let record = face.engine.load(&tenant, &id).await?;
    if streams {
        let seen = match last {
            None => 0,
            Some(last) => event_seq(last)
                .filter(|seq| (1..=record.last_seq).contains(seq))
                .ok_or_else(|| {
                    Refusal::invalid(format!(
                        "`last_event_id`: interaction {id} has no event '{last}'"
                    ))
                })?,
        };
        return Ok(stream::follow(face.engine.follow(&tenant, &id, seen)));
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
    path: RawPathParams,
) -> Result<Response, Refusal> {
    cancelled(&face, &tenant, &id(&path)).await
}

/// `POST /interactions/{id}:cancel`, which some clients write.
pub(super) async fn colon_verb(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    path: RawPathParams,
) -> Result<Response, Refusal> {
    let whole = id(&path);
    match whole.as_str().strip_suffix(":cancel") {
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
    path: RawPathParams,
) -> Result<Response, Refusal> {
    face.engine.delete(&tenant, &id(&path)).await?;
    Ok(Json(json!({})).into_response())
}

/// `GET /interactions`, newest first.
pub(super) async fn list(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Query(query): Parameters,
) -> Result<Response, Refusal> {
    let size = match query.get("page_size") {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(0) => PAGE,
            Ok(size) => std::cmp::min(size, LARGEST_PAGE),
            Err(_) => {
                return Err(Refusal::invalid(format!("`page_size`: '{text}' is not a number")));
            }
        },
    };
    let before = match query.get("page_token").filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(
            read_token(token)
                .ok_or_else(|| Refusal::invalid("`page_token` is not one of this server's"))?,
        ),
    };
    let page = Page {
        size: size + 1,
        before,
        status: query.get("status").map(|status| Status::from(status.as_str())),
        model: query.get("model").cloned(),
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

fn id(path: &RawPathParams) -> InteractionId {
    path.iter().find(|(name, _)| *name == "id").map(|(_, value)| value).unwrap_or_default().into()
}

fn flag(query: &HashMap<String, String>, name: &str) -> Result<bool, Refusal> {
    match query.get(name).map(String::as_str) {
        None | Some("" | "false" | "False" | "0") => Ok(false),
        Some("true" | "True" | "1") => Ok(true),
        Some(other) => {
            Err(Refusal::invalid(format!("`{name}`: '{other}' is neither true nor false")))
        }
    }
}

fn token(created: i64, id: &InteractionId) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created} {id}"))
}

fn read_token(token: &str) -> Option<(i64, InteractionId)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (created, id) = text.split_once(' ')?;
    Some((created.parse().ok()?, id.into()))
}
