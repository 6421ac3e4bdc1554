//! The HTTP face: exactly the wire, for every client that speaks it.

mod agents;
mod answer;
mod body;
mod create;
mod extract;
mod keys;
mod pace;
mod read;
mod stream;
mod webhooks;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::json;

use crate::engine::Engine;
use crate::error::Refusal;
use crate::openapi;
pub(crate) use keys::{Keys, OnSocket};
use pace::Pace;

/// What handlers share.
#[derive(Clone, Debug)]
struct Face {
    engine: Arc<Engine>,
    keys: Arc<Keys>,
    pace: Arc<Pace>,
}

/// The whole face: the API under every prefix that clients use, and two signs of life.
pub(crate) fn router(engine: Arc<Engine>, keys: Arc<Keys>) -> Router {
    let pace = Arc::new(Pace::new(engine.config.limits.requests_per_minute));
    let face = Face { engine, keys, pace };
    let api = Router::new()
        .route("/interactions", post(create::create).get(read::list))
        .route("/interactions/{id}", get(read::get).delete(read::delete).post(read::colon_verb))
        .route("/interactions/{id}/cancel", post(read::cancel))
        .route("/agents", post(agents::create).get(agents::list))
        .route("/agents/{agent}", get(agents::get).delete(agents::delete))
        .route("/webhooks", post(webhooks::create).get(webhooks::list))
        .route(
            "/webhooks/{id}",
            get(webhooks::get)
                .patch(webhooks::update)
                .delete(webhooks::delete)
                .post(webhooks::verb),
        )
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(face.clone(), keys::authenticate));
    Router::new()
        .nest("/v1", api.clone())
        .nest("/v1beta", api.clone())
        .nest("/v1beta1/projects/{project}/locations/{location}", api)
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/.well-known/jwks.json", get(webhooks::keys))
        .route("/openapi.json", get(document))
        .route("/docs", get(page))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(face.clone(), watch))
        .with_state(face)
}

async fn ready(State(face): State<Face>) -> Response {
    if face.engine.is_closing() {
        return Refusal::unavailable("the server is stopping").into_response();
    }
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

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi::document()).into_response()
}

async fn page() -> Response {
    // The page is its own; nothing else may run in it.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)];
    (headers, openapi::PAGE).into_response()
}

async fn metrics(State(face): State<Face>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], face.engine.metrics().text()).into_response()
}

/// Counts requests and writes one line for each; never its query, where a key may stand.
async fn watch(State(face): State<Face>, request: Request, next: Next) -> Response {
    let (method, path, began) =
        (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    // Ids are no labels: there are too many of them.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    face.engine.metrics().request(known(&method), route, status, took);
    tracing::info!(%method, path, status, elapsed = ?took, "request");
    response
}

/// The method, unless somebody invented it: labels must stay few.
fn known(method: &Method) -> &str {
    let common =
        [Method::GET, Method::POST, Method::DELETE, Method::PATCH, Method::PUT, Method::HEAD];
    if common.contains(method) { method.as_str() } else { "other" }
}
