//! Bodies of requests.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use http::StatusCode;
use interactions_types::decode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::LimitsConfig;
use crate::engine::{DEEPEST_REQUEST, Nesting};
use crate::error::Refusal;

/// Reads a body of JSON within the limits.
pub(super) async fn read<T: DeserializeOwned>(
    request: Request,
    limits: &LimitsConfig,
) -> Result<T, Refusal> {
    let bytes = bytes(request, limits).await?;
    if bytes.is_empty() {
        return Err(Refusal::invalid("the request has no body; send a JSON object"));
    }
    decoded(&bytes, limits)
}

/// The same where no body says as much as an empty one.
pub(super) async fn read_or_default<T: DeserializeOwned + Default>(
    request: Request,
    limits: &LimitsConfig,
) -> Result<T, Refusal> {
    let bytes = bytes(request, limits).await?;
    if bytes.is_empty() { Ok(T::default()) } else { decoded(&bytes, limits) }
}

async fn bytes(request: Request, limits: &LimitsConfig) -> Result<Bytes, Refusal> {
    let limit = limits.body_bytes;
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        // The only error beyond a broken connection, which nobody reads the answer of.
        tracing::debug!(%error, "a body was not read");
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            format!("the request body is larger than the {limit} bytes that this server allows"),
        )
    })
}

fn decoded<T: DeserializeOwned>(bytes: &Bytes, limits: &LimitsConfig) -> Result<T, Refusal> {
    check_nesting(bytes, limits.json_depth.min(DEEPEST_REQUEST))?;
    decode(bytes)
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
