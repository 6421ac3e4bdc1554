//! The JSON-RPC binding.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::decode::decoded;
use super::legacy::{self, Binding, Operation};
use super::negotiation::{Version, no_legacy};
use super::sse::{self, Script};
use super::{Arrival, Face, Kind, activate, details, is_json, json_response};
use crate::fault::{Fault, FaultKind};
use crate::host::operations::{Caller, Events};
use crate::wire::{StreamResponse, SubscribeToTaskRequest};

/// What a method gives.
pub(super) enum Outcome {
    Value(Value),
    Events(Events),
}

pub(super) async fn serve(face: &Arc<Face>, arrival: Arrival) -> Response {
    if !is_json(&arrival.headers, &arrival.body) {
        let message = "send JSON, with the content type application/json";
        let fault = Fault::new(FaultKind::ContentTypeNotSupported, message);
        let mut response = refused(&Value::Null, &fault);
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let call = match Call::read(&arrival.body) {
        Ok(call) => call,
        Err(refusal) => {
            let (id, fault) = *refusal;
            return refused(&id, &fault);
        }
    };
    let mut caller = arrival.caller;
    let old = match arrival.version {
        Ok(Version::V1) => false,
        Ok(Version::V03) if face.setup.legacy => true,
        Ok(Version::V03) => return refused(&call.id, &no_legacy()),
        Err(fault) => return refused(&call.id, &fault),
    };
    let last_event_id = arrival.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let Call { id, method, params } = call;
    let mut response = if old {
        let call = match legacy::request(&method, params) {
            Ok(call) => call,
            Err(fault) => return json_rpc_error(&id, &legacy::error(&fault)),
        };
        let name = call.operation.method();
        let outcome = dispatch(face, &mut caller, name, call.params, last_event_id).await;
        let outcome = outcome.and_then(|outcome| translated(call.operation, outcome));
        written(id, outcome, legacy_event, legacy::error)
    } else {
        let outcome = dispatch(face, &mut caller, &method, params, last_event_id).await;
        written(id, outcome, |event| json!(event), error)
    };
    activate(&mut response, &face.engine.activated(&caller));
    response
}

fn translated(operation: Operation, outcome: Outcome) -> Result<Outcome, Fault> {
    match outcome {
        Outcome::Value(value) => {
            legacy::result(Binding::JsonRpc, operation, value).map(Outcome::Value)
        }
        events @ Outcome::Events(_) => Ok(events),
    }
}

fn legacy_event(event: &StreamResponse) -> Value {
    legacy::event(Binding::JsonRpc, json!(event))
}

/// The protocol's errors are answers like any other to HTTP.
fn written(
    id: Value,
    outcome: Result<Outcome, Fault>,
    event: fn(&StreamResponse) -> Value,
    error: fn(&Fault) -> Value,
) -> Response {
    match outcome {
        Ok(Outcome::Value(value)) => answered(&id, &value),
        Ok(Outcome::Events(events)) => {
            let (one, other) = (id.clone(), id);
            let script = Script {
                event: Box::new(
                    move |told| json!({"jsonrpc": "2.0", "id": one, "result": event(told)}),
                ),
                error: Box::new(
                    move |fault| json!({"jsonrpc": "2.0", "id": other, "error": error(fault)}),
                ),
                names_errors: false,
            };
            sse::response(events, script)
        }
        Err(fault) => json_rpc_error(&id, &error(&fault)),
    }
}

struct Call {
    id: Value,
    method: String,
    params: Value,
}

impl Call {
    fn read(body: &[u8]) -> Result<Self, Box<(Value, Fault)>> {
        let invalid = |id: &Value, why: &str| {
            Box::new((id.clone(), Fault::new(FaultKind::InvalidRequest, why.to_owned())))
        };
        let mut whole: Value = serde_json::from_slice(body).map_err(|error| {
            let message = format!("the body is not JSON: {error}");
            Box::new((Value::Null, Fault::new(FaultKind::Parse, message)))
        })?;
        let null = Value::Null;
        let Some(object) = whole.as_object_mut() else {
            return Err(invalid(&null, "a request is one object; several at once are not taken"));
        };
        let id = object.remove("id").unwrap_or_default();
        if !(id.is_string() || id.is_i64() || id.is_u64() || id.is_null()) {
            return Err(invalid(&null, "`id` must be a string or an integer"));
        }
        if object.get("jsonrpc") != Some(&json!("2.0")) {
            return Err(invalid(&id, "`jsonrpc` must be \"2.0\""));
        }
        let Some(Value::String(method)) = object.remove("method") else {
            return Err(invalid(&id, "`method` must be a string"));
        };
        let params = object.remove("params").unwrap_or_else(|| json!({}));
        Ok(Self { id, method, params })
    }
}

pub(super) async fn dispatch(
    face: &Arc<Face>,
    caller: &mut Caller,
    method: &str,
    params: Value,
    last_event_id: Option<&str>,
) -> Result<Outcome, Fault> {
    let engine = &face.engine;
    // The path's tenant, or the one that the request names.
    if let Some(tenant) = params.get("tenant").and_then(Value::as_str).filter(|one| !one.is_empty())
    {
        match &caller.tenant {
            Some(path) if path != tenant => {
                return Err(Fault::invalid("tenant", "the path names another one"));
            }
            _ => caller.tenant = Some(tenant.to_owned()),
        }
    }
    let caller = &*caller;
    match method {
        "SendStreamingMessage" | "SubscribeToTask" => face.offers(Kind::Stream)?,
        push if push.contains("PushNotificationConfig") => face.offers(Kind::Push)?,
        _ => {}
    }
    match method {
        "SendMessage" => value(engine.send(caller, read(params)?).await),
        "SendStreamingMessage" => engine.stream(caller, read(params)?).await.map(Outcome::Events),
        "GetTask" => value(engine.get(caller, read(params)?).await),
        "ListTasks" => value(engine.list(caller, read(params)?).await),
        "CancelTask" => value(engine.cancel_task(caller, read(params)?).await),
        "SubscribeToTask" => {
            let after = last_event_id.map(sse::read_id).transpose()?;
            let request: SubscribeToTaskRequest = read(params)?;
            engine.subscribe(caller, request, after).await.map(Outcome::Events)
        }
        "CreateTaskPushNotificationConfig" => {
            value(engine.create_push(caller, read(params)?).await)
        }
        "GetTaskPushNotificationConfig" => value(engine.push_config(caller, read(params)?).await),
        "ListTaskPushNotificationConfigs" => value(engine.list_pushes(caller, read(params)?).await),
        "DeleteTaskPushNotificationConfig" => {
            engine.delete_push(caller, read(params)?).await?;
            Ok(Outcome::Value(json!({})))
        }
        "GetExtendedAgentCard" => Ok(Outcome::Value(face.extended_card(caller)?)),
        other => {
            let shown: String = other.chars().take(64).collect();
            let message = format!("there is no method `{shown}`");
            Err(Fault::new(FaultKind::MethodNotFound, message))
        }
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    decoded(params)
}

fn value(result: Result<impl Serialize, Fault>) -> Result<Outcome, Fault> {
    serde_json::to_value(result?)
        .map(Outcome::Value)
        .map_err(|_| Fault::internal("the answer cannot be written"))
}

fn answered(id: &Value, result: &Value) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": id, "result": result});
    json_response(StatusCode::OK, "application/json", &body)
}

fn refused(id: &Value, fault: &Fault) -> Response {
    json_rpc_error(id, &error(fault))
}

fn json_rpc_error(id: &Value, error: &Value) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
    json_response(StatusCode::OK, "application/json", &body)
}

fn error(fault: &Fault) -> Value {
    json!({"code": fault.kind().code(), "message": fault.message(), "data": details(fault)})
}
