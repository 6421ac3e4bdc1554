//! `/agents`: those that came with the server, and those that callers keep.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_types::{Agent, AgentId};
use serde_json::{Value, json};

use super::Face;
use super::body;
use super::extract::{Id, Parameters};
use super::keys::Tenant;
use crate::clock;
use crate::engine::{AgentMark, ShownAgent};
use crate::error::Refusal;

const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1000;

/// `POST /agents`.
pub(super) async fn create(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    request: Request,
) -> Result<Response, Refusal> {
    let agent: Agent = body::read(request, &face.engine.config.limits).await?;
    let agent = face.engine.create_agent(&tenant, agent).await?;
    Ok(Json(shown(agent)).into_response())
}

/// `GET /agents`.
pub(super) async fn list(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    query: Parameters,
) -> Result<Response, Refusal> {
    let size = query.size("page_size", PAGE, LARGEST_PAGE)?;
    let after = match query.text("page_token") {
        None => AgentMark::BuiltIn(String::new()),
        Some(token) => read_token(token)
            .ok_or_else(|| Refusal::invalid("`page_token` is not one of this server's"))?,
    };
    let (agents, next) = face.engine.list_agents(&tenant, &after, size).await?;
    let mut body = json!({"agents": agents.into_iter().map(shown).collect::<Vec<_>>()});
    if let Some(next) = next {
        body["next_page_token"] = json!(token(&next));
    }
    Ok(Json(body).into_response())
}

/// `GET /agents/{agent}`.
pub(super) async fn get(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let agent = face.engine.agent(&tenant, &AgentId::new(id.as_str())).await?;
    Ok(Json(shown(agent)).into_response())
}

/// `DELETE /agents/{agent}`.
pub(super) async fn delete(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    face.engine.delete_agent(&tenant, &AgentId::new(id.as_str())).await?;
    Ok(Json(json!({})).into_response())
}

fn shown(agent: ShownAgent) -> Value {
    let ShownAgent { agent, created } = agent;
    let mut body = serde_json::to_value(agent).unwrap_or_default();
    body["object"] = json!("agent");
    if let Some(created) = created {
        body["created"] = json!(clock::rfc3339(created));
    }
    body
}

fn token(mark: &AgentMark) -> String {
    let (kind, id) = match mark {
        AgentMark::BuiltIn(id) => ('b', id),
        AgentMark::Stored(id) => ('s', id),
    };
    URL_SAFE_NO_PAD.encode(format!("{kind}{id}"))
}

fn read_token(token: &str) -> Option<AgentMark> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    match text.split_at_checked(1)? {
        ("b", id) => Some(AgentMark::BuiltIn(id.to_owned())),
        ("s", id) => Some(AgentMark::Stored(id.to_owned())),
        _ => None,
    }
}
