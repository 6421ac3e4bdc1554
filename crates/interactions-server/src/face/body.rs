//! Bodies of requests.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::StatusCode;
use interactions_types::decode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::LimitsConfig;
use crate::engine::{DEEPEST_REQUEST, Nesting};
use crate::error::Refusal;

/// How long a body is listened to that nobody reads.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of it, where it is too large.
const SURPLUS: usize = 128 * 1024 * 1024;
/// How much of it, where nobody knows who sends it.
pub(super) const STRANGER: usize = 1024 * 1024;

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
    let mut pieces = request.into_body().into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Refusal::invalid("the request body broke off"))?;
        if whole.len() + piece.len() > limit {
            drop(whole);
            hear_out(pieces, SURPLUS).await;
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                format!(
                    "the request body is larger than the {limit} bytes that this server allows"
                ),
            ));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Reads on for a while and throws it away: a sender whose connection closes in the middle hears
/// of a broken connection, not of the reason.
pub(super) async fn hear_out(mut pieces: BodyDataStream, limit: usize) {
    let _ = tokio::time::timeout(PATIENCE, async {
        let mut heard = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            heard += piece.len();
            if heard > limit {
                break;
            }
        }
    })
    .await;
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
