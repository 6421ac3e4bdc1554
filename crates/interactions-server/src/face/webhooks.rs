//! `/webhooks`, and the keys that verify what requests' own addresses get.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_types::{
    RevocationBehavior, RotateSigningSecretRequest, WebhookInput, WebhookUpdate,
};
use serde_json::json;

use super::Face;
use super::body;
use super::extract::{Id, Parameters};
use super::keys::Tenant;
use crate::coverage;
use crate::error::Refusal;

const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1000;

/// `POST /webhooks`.
pub(super) async fn create(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    request: Request,
) -> Result<Response, Refusal> {
    let input: WebhookInput = body::read(request, &face.engine.config.limits).await?;
    Ok(Json(face.engine.create_webhook(&tenant, input).await?).into_response())
}

/// `GET /webhooks`.
pub(super) async fn list(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    query: Parameters,
) -> Result<Response, Refusal> {
    let size = query.size("page_size", PAGE, LARGEST_PAGE)?;
    let after = match query.text("page_token") {
        None => String::new(),
        Some(token) => URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|id| String::from_utf8(id).ok())
            .ok_or_else(|| Refusal::invalid("`page_token` is not one of this server's"))?,
    };
    let (webhooks, more) = face.engine.list_webhooks(&tenant, &after, size).await?;
    let last = webhooks.last().and_then(|last| last.id.clone()).filter(|_| more);
    let mut body = json!({"webhooks": webhooks});
    if let Some(last) = last {
        body["next_page_token"] = json!(URL_SAFE_NO_PAD.encode(last.as_str()));
    }
    Ok(Json(body).into_response())
}

/// `GET /webhooks/{id}`.
pub(super) async fn get(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    Ok(Json(face.engine.webhook(&tenant, id.as_str()).await?).into_response())
}

/// `PATCH /webhooks/{id}`.
pub(super) async fn update(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
    query: Parameters,
    request: Request,
) -> Result<Response, Refusal> {
    let update: WebhookUpdate = body::read(request, &face.engine.config.limits).await?;
    let mask: Option<Vec<&str>> =
        query.text("update_mask").map(|mask| mask.split(',').map(str::trim).collect());
    let webhook = face.engine.update_webhook(&tenant, id.as_str(), update, mask.as_deref());
    Ok(Json(webhook.await?).into_response())
}

/// `DELETE /webhooks/{id}`.
pub(super) async fn delete(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    face.engine.delete_webhook(&tenant, id.as_str()).await?;
    Ok(Json(json!({})).into_response())
}

/// `POST /webhooks/{id}:ping` and `POST /webhooks/{id}:rotateSigningSecret`.
pub(super) async fn verb(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Refusal> {
    match id.as_str().rsplit_once(':') {
        Some((id, "ping")) => {
            face.engine.ping_webhook(&tenant, id).await?;
            Ok(Json(json!({})).into_response())
        }
        Some((id, "rotateSigningSecret")) => {
            let rotate: RotateSigningSecretRequest =
                body::read_or_default(request, &face.engine.config.limits).await?;
            coverage::check(&rotate, |_| false)?;
            let at_once = rotate.revocation_behavior
                == Some(RevocationBehavior::RevokePreviousSecretsImmediately);
            let secret = face.engine.rotate_secret(&tenant, id, at_once).await?;
            Ok(Json(json!({"secret": secret})).into_response())
        }
        _ => Err(Refusal::not_found(
            "there is nothing to post to here; did you mean :ping or :rotateSigningSecret?",
        )),
    }
}

/// `GET /.well-known/jwks.json`: the public keys of this server.
pub(super) async fn keys(State(face): State<Face>) -> Result<Response, Refusal> {
    let key = face.engine.outbox.key().await?;
    Ok(Json(json!({"keys": [key.public()]})).into_response())
}
