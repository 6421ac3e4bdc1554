//! `POST /interactions`.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, body};
use http::StatusCode;
use interactions_types::{CreateInteraction, Interaction, decode};
use serde_json::{Map, Value};

use super::keys::Tenant;
use super::{Face, stream};
use crate::LimitsConfig;
use crate::engine::{DEEPEST_REQUEST, Finished, Nesting};
use crate::error::Refusal;
use crate::model::Transient;

/// Creates an interaction: waits for its end, streams its events, or answers at once.
pub(super) async fn create(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    request: Request,
) -> Result<Response, Refusal> {
    let request = read(request, &face.engine.config.limits).await?;
    let (streams, background) = (request.stream == Some(true), request.background == Some(true));
    let started = face.engine.create(&tenant, request, streams).await?;
    if streams {
        let reader = face.engine.metrics().reader();
        return Ok(match started.live {
            Some(live) => stream::live(live, started.guard, reader),
            None => stream::follow(face.engine.follow(&tenant, &started.id, 0), reader),
        });
    }
    if background {
        return Ok(Json(started.beginning).into_response());
    }
    // Held while waiting: if the caller goes, a run that is not stored ends with this future.
    let _guard = started.guard;
    match started.end.await {
        Ok(finished) => answer(finished),
        Err(_) if started.stored => Err(Refusal::unavailable(format!(
            "the server is stopping; interaction {} goes on and can be read later",
            started.id
        ))),
        Err(_) => Err(Refusal::unavailable("the server is stopping")),
    }
}

async fn read(request: Request, limits: &LimitsConfig) -> Result<CreateInteraction, Refusal> {
    let limit = limits.body_bytes;
    let bytes = body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        // The only error beyond a broken connection, which nobody reads the answer of.
        tracing::debug!(%error, "a body was not read");
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            format!("the request body is larger than the {limit} bytes that this server allows"),
        )
    })?;
    if bytes.is_empty() {
        return Err(Refusal::invalid("the request has no body; send a JSON object"));
    }
    check_nesting(&bytes, limits.json_depth.min(DEEPEST_REQUEST))?;
    decode(&bytes)
        .map_err(|error| Refusal::invalid(format!("the request body cannot be read: {error}")))
}

/// Refuses what is nested so deeply that nobody could read it back, a few levels further down.
fn check_nesting(json: &[u8], limit: usize) -> Result<(), Refusal> {
    let Ok(text) = std::str::from_utf8(json) else { return Ok(()) };
    if Nesting::of(text) <= limit {
        return Ok(());
    }
    let fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let deep = fields.iter().find(|(_, value)| Nesting::of(&value.to_string()) >= limit);
    let place = deep.map_or_else(|| "the request".to_owned(), |(field, _)| format!("`{field}`"));
    Err(Refusal::invalid(format!("{place} is nested more deeply than the {limit} levels allowed")))
}

/// A plain create answers with the interaction, unless what failed may soon work:
/// then an HTTP error tells clients that it is worth another try.
fn answer(finished: Finished) -> Result<Response, Refusal> {
    let Finished { interaction, transient } = finished;
    let Some(transient) = transient else {
        return Ok(Json(interaction).into_response());
    };
    let message = reason(&interaction);
    Err(match transient {
        Transient::Unavailable => Refusal::unavailable(message),
        Transient::Timeout => {
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", message)
        }
        Transient::RateLimited(patience) => Refusal {
            retry_after: patience,
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
        },
    })
}

fn reason(interaction: &Interaction) -> String {
    let last = interaction.errors.iter().flatten().last().and_then(|error| error.message.clone());
    last.unwrap_or_else(|| "the model failed".to_owned())
}
