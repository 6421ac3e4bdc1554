//! The HTTP face: exactly the wire, for every client that speaks it.

mod agents;
mod answer;
mod create;
mod extract;
mod keys;
mod read;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;

use crate::engine::Engine;
use crate::error::Refusal;
pub(crate) use keys::Keys;

/// What handlers share.
#[derive(Clone, Debug)]
struct Face {
    engine: Arc<Engine>,
    keys: Arc<Keys>,
}

/// The whole face: the API under every prefix that clients use, and two signs of life.
pub(crate) fn router(engine: Arc<Engine>, keys: Arc<Keys>) -> Router {
    let face = Face { engine, keys };
    let api = Router::new()
        .route("/interactions", post(create::create).get(read::list))
        .route("/interactions/{id}", get(read::get).delete(read::delete).post(read::colon_verb))
        .route("/interactions/{id}/cancel", post(read::cancel))
        .route("/agents", get(agents::list))
        .route("/agents/{agent}", get(agents::get))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(face.clone(), keys::authenticate));
    Router::new()
        .nest("/v1", api.clone())
        .nest("/v1beta", api.clone())
        .nest("/v1beta1/projects/{project}/locations/{location}", api)
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .fallback(nothing_here)
        .layer(middleware::from_fn(log))
        .with_state(face)
}

async fn ready(State(face): State<Face>) -> Response {
    match face.engine.store.ping().await {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

async fn nothing_here(request: Request) -> Response {
    Refusal::not_found(format!("there is nothing at {} {}", request.method(), request.uri().path()))
        .into_response()
}

async fn wrong_method(request: Request) -> Response {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request",
        format!("{} is not possible at this address", request.method()),
    )
    .into_response()
}

/// One line per request; never its query, where a key may stand.
async fn log(request: Request, next: Next) -> Response {
    let (method, path, began) =
        (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    let response = next.run(request).await;
    tracing::info!(%method, path, status = response.status().as_u16(), elapsed = ?began.elapsed(), "request");
    response
}
