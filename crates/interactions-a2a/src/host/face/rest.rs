//! The HTTP+JSON binding.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::decode::decoded;
use super::jsonrpc::{Outcome, dispatch};
use super::legacy;
use super::negotiation::{Version, no_legacy};
use super::route::Route;
use super::sse::{self, Script};
use super::{Arrival, Face, Kind, activate, is_json, json_response, status};
use crate::fault::{Fault, FaultKind};
use crate::host::operations::{Caller, Events};
use crate::wire::{self, SubscribeToTaskRequest};

pub(super) async fn serve(face: &Arc<Face>, route: Route, arrival: Arrival) -> Response {
    if !is_json(&arrival.headers, &arrival.body) {
        let message = "send JSON, with the content type application/a2a+json";
        return refused(&Fault::new(FaultKind::ContentTypeNotSupported, message));
    }
    match &arrival.version {
        Ok(Version::V1) => {}
        // Callers of 0.3 have paths of their own.
        Ok(Version::V03) => return refused(&no_legacy()),
        Err(fault) => return refused(fault),
    }
    let caller = arrival.caller.clone();
    let mut response = match operate(face, route, arrival).await {
        Ok(response) => response,
        Err(fault) => refused(&fault),
    };
    activate(&mut response, &face.engine.activated(&caller));
    response
}

/// A request of protocol 0.3, whose paths are others.
pub(super) async fn serve_legacy(
    face: &Arc<Face>,
    route: legacy::Route,
    arrival: Arrival,
) -> Response {
    let refused = |fault: &Fault| {
        let (status, body) = legacy::rest_error(fault);
        json_response(status, "application/json", &body)
    };
    let body = match optional_json(&arrival.body) {
        Ok(_) if arrival.body.is_empty() => Value::Null,
        Ok(body) => body,
        Err(fault) => return refused(&fault),
    };
    let call = match route.call(arrival.query.query(), body) {
        Ok(call) => call,
        Err(fault) => return refused(&fault),
    };
    let mut caller = arrival.caller;
    let method = call.operation.method();
    match dispatch(face, &mut caller, method, call.params, None).await {
        Ok(Outcome::Value(value)) => {
            match legacy::result(legacy::Binding::Rest, call.operation, value) {
                Ok(value) => json_response(StatusCode::OK, "application/json", &value),
                Err(fault) => refused(&fault),
            }
        }
        Ok(Outcome::Events(events)) => sse::response(
            events,
            Script {
                event: Box::new(|event| legacy::event(legacy::Binding::Rest, json!(event))),
                error: Box::new(|fault| legacy::rest_error(fault).1),
                names_errors: true,
            },
        ),
        Err(fault) => refused(&fault),
    }
}

async fn operate(face: &Arc<Face>, route: Route, arrival: Arrival) -> Result<Response, Fault> {
    let engine = &face.engine;
    let Arrival { mut caller, headers, query, body, .. } = arrival;
    match route {
        Route::Stream | Route::Subscribe { .. } => face.offers(Kind::Stream)?,
        Route::CreatePush { .. }
        | Route::ListPushes { .. }
        | Route::GetPush { .. }
        | Route::DeletePush { .. } => face.offers(Kind::Push)?,
        _ => {}
    }
    match route {
        Route::Send => {
            let request = decoded(named(&mut caller, body_json(&body)?)?)?;
            answered(&engine.send(&caller, request).await?)
        }
        Route::Stream => {
            let request = decoded(named(&mut caller, body_json(&body)?)?)?;
            Ok(streamed(engine.stream(&caller, request).await?))
        }
        Route::List => {
            let request = decoded(named(&mut caller, parameters(&query)?)?)?;
            answered(&engine.list(&caller, request).await?)
        }
        Route::Get { id } => {
            let mut request = named(&mut caller, parameters(&query)?)?;
            request["id"] = id.into();
            answered(&engine.get(&caller, decoded(request)?).await?)
        }
        Route::Cancel { id } => {
            let mut request = named(&mut caller, optional_json(&body)?)?;
            request["id"] = id.into();
            answered(&engine.cancel_task(&caller, decoded(request)?).await?)
        }
        Route::Subscribe { id } => {
            let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
            let after = last.map(sse::read_id).transpose()?;
            named(&mut caller, parameters(&query)?)?;
            let request = SubscribeToTaskRequest { id, tenant: None };
            Ok(streamed(engine.subscribe(&caller, request, after).await?))
        }
        Route::CreatePush { task_id } => {
            let mut request = named(&mut caller, body_json(&body)?)?;
            request["taskId"] = task_id.into();
            answered(&engine.create_push(&caller, decoded(request)?).await?)
        }
        Route::ListPushes { task_id } => {
            let mut request = named(&mut caller, parameters(&query)?)?;
            request["taskId"] = task_id.into();
            answered(&engine.list_pushes(&caller, decoded(request)?).await?)
        }
        Route::GetPush { task_id, id } => {
            named(&mut caller, parameters(&query)?)?;
            let request = json!({"taskId": task_id, "id": id});
            answered(&engine.push_config(&caller, decoded(request)?).await?)
        }
        Route::DeletePush { task_id, id } => {
            named(&mut caller, parameters(&query)?)?;
            let request = json!({"taskId": task_id, "id": id});
            engine.delete_push(&caller, decoded(request)?).await?;
            // Some clients read a body whatever the status is.
            answered(&json!({}))
        }
        Route::ExtendedCard => {
            named(&mut caller, parameters(&query)?)?;
            answered(&face.extended_card(&caller)?)
        }
    }
}

/// A body that must be there.
fn body_json(body: &[u8]) -> Result<Value, Fault> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Fault::new(FaultKind::Parse, format!("the body is not JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Fault::invalid("body", "it must be an object")),
    }
}

fn optional_json(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() { Ok(json!({})) } else { body_json(body) }
}

/// Takes the tenant that a body repeats.
fn named(caller: &mut Caller, body: Value) -> Result<Value, Fault> {
    let tenant = body.get("tenant").and_then(Value::as_str).filter(|one| !one.is_empty());
    match (&caller.tenant, tenant) {
        (Some(path), Some(tenant)) if path != tenant => {
            Err(Fault::invalid("tenant", "the path names another one"))
        }
        (None, Some(tenant)) => {
            caller.tenant = Some(tenant.to_owned());
            Ok(body)
        }
        _ => Ok(body),
    }
}

/// The parameters of a query, as the JSON that they stand for.
fn parameters(uri: &http::Uri) -> Result<Value, Fault> {
    let mut object = Map::new();
    let query = uri.query().unwrap_or_default();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "pageSize" | "historyLength" => match text.parse::<i32>() {
                Ok(number) => number.into(),
                Err(_) => return Err(Fault::invalid(name, "it must be an integer")),
            },
            "includeArtifacts" => match &*text {
                "true" => true.into(),
                "false" => false.into(),
                _ => return Err(Fault::invalid(name, "it must be `true` or `false`")),
            },
            "statusTimestampAfter" if text.is_empty() => continue,
            _ => text.into(),
        };
        object.insert(name.into_owned(), value);
    }
    Ok(Value::Object(object))
}

fn answered(value: &impl Serialize) -> Result<Response, Fault> {
    Ok(json_response(StatusCode::OK, wire::MEDIA_TYPE, value))
}

fn streamed(events: Events) -> Response {
    sse::response(
        events,
        Script {
            event: Box::new(|event| json!(event)),
            error: Box::new(status),
            names_errors: true,
        },
    )
}

pub(super) fn refused(fault: &Fault) -> Response {
    json_response(fault.kind().http_status(), "application/json", &status(fault))
}
