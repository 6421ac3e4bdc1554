//! `GET /agents`: the agents of the configuration.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Face;
use super::extract::Id;
use crate::config::AgentConfig;
use crate::error::Refusal;
use crate::secrets::take_secrets;

/// `GET /agents`.
pub(super) async fn list(State(face): State<Face>) -> Response {
    let agents: Vec<Value> = face.engine.config.agents.iter().map(shown).collect();
    Json(json!({"agents": agents})).into_response()
}

/// `GET /agents/{agent}`.
pub(super) async fn get(State(face): State<Face>, Id(id): Id) -> Result<Response, Refusal> {
    let agent = face.engine.config.agents.iter().find(|agent| agent.id == id.as_str());
    let agent = agent.ok_or_else(|| Refusal::not_found(format!("there is no agent `{id}`")))?;
    Ok(Json(shown(agent)).into_response())
}

fn shown(agent: &AgentConfig) -> Value {
    let mut tools = agent.tools.clone();
    for tool in &mut tools {
        take_secrets(tool);
    }
    let mut body =
        json!({"id": agent.id, "object": "agent", "base_agent": agent.model, "tools": tools});
    if let Some(instruction) = &agent.system_instruction {
        body["system_instruction"] = json!(instruction);
    }
    if let Some(description) = &agent.description {
        body["description"] = json!(description);
    }
    body
}
