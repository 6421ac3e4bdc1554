//! One interface of a remote agent, and the operations that a tool needs of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use interactions_transport::sse::Decoder;
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::decode;
use super::error::{RemoteError, RemoteErrorKind, bounded};
use crate::fault::FaultKind;
use crate::wire::{
    CancelTaskRequest, EXTENSIONS_HEADER, GetTaskRequest, SendMessageRequest, SendMessageResponse,
    StreamResponse, SubscribeToTaskRequest, Task, VERSION, VERSION_HEADER,
};

const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take that is given at once.
const ANSWER: Duration = Duration::from_secs(60);
/// No host has reason to give its tasks longer names.
const ID_LENGTH: usize = 512;

/// How requests and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    JsonRpc,
    HttpJson,
}

/// A way to an agent. Clones are the same way.
#[derive(Clone)]
pub(super) struct Peer(Arc<Way>);

pub(super) struct Way {
    pub(super) transport: SharedTransport,
    pub(super) binding: Binding,
    pub(super) url: String,
    pub(super) tenant: Option<String>,
    /// Who calls.
    pub(super) headers: HeaderMap,
    pub(super) extensions: Vec<String>,
    /// How many bytes an answer, or an event of a stream, may have.
    pub(super) limit: usize,
    /// How long a stream may be silent.
    pub(super) idle: Duration,
}

/// An operation, in both bindings.
struct Call {
    rpc: &'static str,
    method: Method,
    path: String,
    params: Value,
}

impl Peer {
    pub(super) fn new(way: Way) -> Self {
        Self(Arc::new(way))
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// `SendMessage`, which should return at once.
    pub(super) async fn send(
        &self,
        request: SendMessageRequest,
    ) -> Result<SendMessageResponse, RemoteError> {
        let call = self.call("SendMessage", Method::POST, "message:send".to_owned(), &request)?;
        decode::read(self.answer(call).await?, "answer to a message")
    }

    /// `SendStreamingMessage`.
    pub(super) async fn stream(&self, request: SendMessageRequest) -> Result<Events, RemoteError> {
        let path = "message:stream".to_owned();
        self.events(self.call("SendStreamingMessage", Method::POST, path, &request)?).await
    }

    /// `SubscribeToTask`.
    pub(super) async fn subscribe(&self, id: &str) -> Result<Events, RemoteError> {
        let path = format!("tasks/{}:subscribe", segment(id)?);
        let request = SubscribeToTaskRequest { id: id.to_owned(), tenant: None };
        self.events(self.call("SubscribeToTask", Method::POST, path, &request)?).await
    }

    /// `GetTask`.
    pub(super) async fn task(&self, id: &str) -> Result<Task, RemoteError> {
        let path = format!("tasks/{}?historyLength=1", segment(id)?);
        let request = GetTaskRequest { id: id.to_owned(), history_length: Some(1), tenant: None };
        let task: Task =
            decode::task(self.answer(self.call("GetTask", Method::GET, path, &request)?).await?)?;
        if task.id != id {
            return Err(RemoteError::decode(
                "the agent answered with another task than was asked for",
            ));
        }
        Ok(task)
    }

    /// `CancelTask`.
    pub(super) async fn cancel(&self, id: &str) -> Result<(), RemoteError> {
        let path = format!("tasks/{}:cancel", segment(id)?);
        let request = CancelTaskRequest { id: id.to_owned(), metadata: None, tenant: None };
        self.answer(self.call("CancelTask", Method::POST, path, &request)?).await.map(|_| ())
    }

    fn call(
        &self,
        rpc: &'static str,
        method: Method,
        path: String,
        params: &impl Serialize,
    ) -> Result<Call, RemoteError> {
        let params = serde_json::to_value(params).map_err(|error| {
            RemoteError::new(RemoteErrorKind::Setup, format!("the request is no JSON: {error}"))
        })?;
        Ok(Call { rpc, method, path, params })
    }

    async fn answer(&self, call: Call) -> Result<Value, RemoteError> {
        let timeouts = Timeouts::default()
            .with_connect(CONNECT)
            .with_first_byte(ANSWER)
            .with_total(ANSWER * 2);
        let (response, id) = self.request(call, "application/json", timeouts).await?;
        let status = response.status();
        let sent = response.into_body().collect(self.0.limit).await?;
        self.read(status, &sent, Some(&id))
    }

    async fn events(&self, call: Call) -> Result<Events, RemoteError> {
        let timeouts = Timeouts::default()
            .with_connect(CONNECT)
            .with_first_byte(ANSWER)
            .with_idle(self.0.idle);
        let (response, id) = self.request(call, "text/event-stream", timeouts).await?;
        let status = response.status();
        let kind = response.headers().get(http::header::CONTENT_TYPE);
        let is_stream = kind.and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
            kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
        });
        if status.is_success() && is_stream {
            let decoder = Decoder::new().with_limit(self.0.limit);
            return Ok(Events {
                peer: self.clone(),
                from: From::Stream(response.into_body(), decoder),
            });
        }
        // A host may refuse, or answer without a stream.
        let sent = response.into_body().collect(self.0.limit).await?;
        let answer = self.read(status, &sent, Some(&id))?;
        Ok(Events { peer: self.clone(), from: From::Answer(Some(answer)) })
    }

    async fn request(
        &self,
        call: Call,
        accept: &'static str,
        timeouts: Timeouts,
    ) -> Result<(Response<Body>, String), RemoteError> {
        let way = &self.0;
        let Call { rpc, method, path, mut params } = call;
        let id = uuid::Uuid::now_v7().to_string();
        let base = way.url.trim_end_matches('/');
        let (method, url, body) = match way.binding {
            Binding::JsonRpc => {
                if let (Some(tenant), Some(fields)) = (&way.tenant, params.as_object_mut()) {
                    fields.insert("tenant".to_owned(), json!(tenant));
                }
                let call = json!({"jsonrpc": "2.0", "id": id, "method": rpc, "params": params});
                (Method::POST, way.url.clone(), Some(call))
            }
            Binding::HttpJson => {
                let url = match &way.tenant {
                    Some(tenant) => format!("{base}/{}/{path}", segment(tenant)?),
                    None => format!("{base}/{path}"),
                };
                let body = (method == Method::POST).then_some(params);
                (method, url, body)
            }
        };
        let accept = match way.binding {
            Binding::HttpJson if accept == "application/json" => {
                "application/a2a+json, application/json"
            }
            _ => accept,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(http::header::ACCEPT, accept)
            .header(VERSION_HEADER, VERSION);
        if !way.extensions.is_empty() {
            request = request.header(EXTENSIONS_HEADER, way.extensions.join(", "));
        }
        if body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).map_err(|error| {
            RemoteError::new(RemoteErrorKind::Setup, format!("the request cannot be sent: {error}"))
        })?;
        request.headers_mut().extend(way.headers.clone());
        request.extensions_mut().insert(timeouts);
        Ok((way.transport.send(request).await?, id))
    }

    /// What an answer, or the data of an event, has to say.
    fn read(
        &self,
        status: StatusCode,
        sent: &[u8],
        id: Option<&str>,
    ) -> Result<Value, RemoteError> {
        let Ok(mut answer) = serde_json::from_slice::<Value>(sent) else {
            check_status(status, None)?;
            return Err(RemoteError::decode("the agent's answer is not JSON"));
        };
        let is_rpc = self.0.binding == Binding::JsonRpc;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let fault = refusal(error, is_rpc);
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
                check_status(status, Some(message))?;
            }
            let Some(fault) = fault else {
                check_status(status, Some(message))?;
                return Err(RemoteError::decode(format!(
                    "the agent refused with an error that the protocol does not have: {}",
                    bounded(message, 300)
                )));
            };
            let why = format!("the agent refused ({}): {}", fault.reason(), bounded(message, 500));
            return Err(RemoteError::new(RemoteErrorKind::Fault(fault), why));
        }
        check_status(status, None)?;
        if !is_rpc {
            return Ok(answer);
        }
        if id.is_some_and(|id| answer.get("id").and_then(Value::as_str) != Some(id)) {
            return Err(RemoteError::decode("the agent answered another request than was sent"));
        }
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(RemoteError::decode("the agent's answer has neither `result` nor `error`")),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("url", &self.0.url)
            .field("binding", &self.0.binding)
            .finish_non_exhaustive()
    }
}

/// What a task tells, as it happens.
pub(super) struct Events {
    peer: Peer,
    from: From,
}

enum From {
    Stream(Body, Decoder),
    Answer(Option<Value>),
}

impl Events {
    /// The next event with its size in bytes; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<(StreamResponse, usize)>, RemoteError> {
        let (body, decoder) = match &mut self.from {
            From::Answer(answer) => {
                let Some(answer) = answer.take() else { return Ok(None) };
                return Ok(Some((self.peer.event(answer)?, 0)));
            }
            From::Stream(body, decoder) => (body, decoder),
        };
        loop {
            match decoder.next_frame() {
                Some(Ok(frame)) if frame.data().is_empty() || frame.is_done() => {}
                Some(Ok(frame)) => {
                    let size = frame.data().len();
                    let value = self.peer.read(StatusCode::OK, frame.data(), None)?;
                    return Ok(Some((self.peer.event(value)?, size)));
                }
                Some(Err(error)) => {
                    let why = format!("an event of the agent is too large: {error}");
                    return Err(RemoteError::new(RemoteErrorKind::TooLarge, why));
                }
                None => match body.next().await {
                    Some(piece) => decoder.push(&piece?),
                    None => return Ok(None),
                },
            }
        }
    }
}

impl Peer {
    fn event<T: DeserializeOwned>(&self, value: Value) -> Result<T, RemoteError> {
        decode::read(value, "event of a task")
    }
}

fn check_status(status: StatusCode, message: Option<&str>) -> Result<(), RemoteError> {
    if status.is_success() {
        return Ok(());
    }
    let more = message.filter(|message| !message.is_empty());
    let more = more.map(|message| format!(": {}", bounded(message, 300))).unwrap_or_default();
    let (kind, what) = match status.as_u16() {
        401 => (RemoteErrorKind::Unauthorized, "the agent wants credentials (HTTP 401)".to_owned()),
        403 => (
            RemoteErrorKind::Unauthorized,
            "the agent lets this caller not in (HTTP 403)".to_owned(),
        ),
        code @ 300..=399 => (
            RemoteErrorKind::Http(code),
            format!(
                "the agent sends elsewhere (HTTP {code}), which is not followed: use that address"
            ),
        ),
        code => (RemoteErrorKind::Http(code), format!("the agent answered HTTP {code}")),
    };
    Err(RemoteError::new(kind, format!("{what}{more}")))
}

/// The kind of an error in either binding.
fn refusal(error: &Value, is_rpc: bool) -> Option<FaultKind> {
    let details = error.get("details").or_else(|| error.get("data"));
    let details = details.and_then(Value::as_array).into_iter().flatten();
    let reason = details.filter_map(|detail| detail.get("reason")?.as_str());
    let by_reason = reason.filter_map(FaultKind::from_reason).next();
    let code = error.get("code").and_then(Value::as_i64).filter(|_| is_rpc);
    let code = code.and_then(|code| i32::try_from(code).ok());
    by_reason.or_else(|| code.map(FaultKind::from_code))
}

/// An id as one segment of a path.
fn segment(id: &str) -> Result<String, RemoteError> {
    // Two dots lead up a path, however they are written.
    if id.is_empty() || id == "." || id == ".." || id.len() > ID_LENGTH {
        let id = bounded(id, 40);
        return Err(RemoteError::decode(format!(
            "the agent uses an id that cannot be one: `{id}`"
        )));
    }
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(path)
}

/// A header that says who calls.
pub(super) fn credential(
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), RemoteError> {
    let wrong = |what: &str| {
        RemoteError::new(RemoteErrorKind::Setup, format!("the {what} of a header cannot be sent"))
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong("value"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_one_segment() {
        assert_eq!(segment("a-1_~.x").unwrap(), "a-1_~.x");
        assert_eq!(segment("../x?y#z é").unwrap(), "..%2Fx%3Fy%23z%20%C3%A9");
        for wrong in ["", ".", "..", &"x".repeat(513)] {
            assert_eq!(segment(wrong).unwrap_err().kind(), RemoteErrorKind::Decode);
        }
    }

    #[test]
    fn errors_keep_their_kind_in_both_bindings() {
        let rpc = json!({"code": -32001, "message": "no"});
        assert_eq!(refusal(&rpc, true), Some(FaultKind::TaskNotFound));
        let rest = json!({"code": 400, "details": [{"reason": "UNSUPPORTED_OPERATION"}]});
        assert_eq!(refusal(&rest, false), Some(FaultKind::UnsupportedOperation));
        assert_eq!(refusal(&json!({"code": 400}), false), None);
    }
}
