//! A host over our own server, spoken to as any program would, without a socket.
#![allow(dead_code, unreachable_pub, reason = "every test uses a part of it")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use http::{HeaderMap, Method, Request, StatusCode};
use interactions_a2a::{A2aHost, Card, Host, HostedAgent, InteractionsExecutor};
use interactions_client::Client;
use interactions_server::{Config, Server};
use interactions_transport::sse::Decoder;
use interactions_transport::{Body, SharedTransport, TowerTransport, Transport};
use interactions_types::{CreateInteraction, Function};
use serde_json::{Value, json};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What the scripted model does beside its own rules.
const RULES: &str = r#"
[[rules]]
prompt = "needs credentials"
steps = [{ text = "Looking" }, { fail = "no token", code = "unauthenticated" }]
"#;

pub struct Place {
    pub server: Server,
    pub host: Host,
    pub transport: SharedTransport,
    pub dir: PathBuf,
}

pub fn builder(client: &Client) -> A2aHost {
    let question = Function::new("ask_human").parameters(json!({
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
    }));
    let request = CreateInteraction::new("scripted", "").tools(vec![question.into()]);
    let executor = InteractionsExecutor::with_request(client.clone(), request);
    let helper = HostedAgent::new(Card::new("Helper", "Helps."), executor);
    let other = InteractionsExecutor::new(client.clone(), "scripted");
    let other = HostedAgent::new(Card::new("Other", "Helps, too."), other);
    A2aHost::with_agent("helper", helper).agent("other", other).base_url("http://host.example")
}

impl Place {
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn with(change: impl FnOnce(A2aHost) -> A2aHost) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("interactions-a2a-host-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let rules = dir.join("rules.toml");
        std::fs::write(&rules, RULES).expect("rules");
        let model = format!(
            "[[models]]\nmatch = \"scripted\"\nadapter = \"scripted\"\nscript = {:?}",
            rules.display().to_string()
        );
        let mut config = Config::parse(&model).expect("a configuration");
        config.data_dir = Some(dir.clone());
        let server = Server::builder(config).build().await.expect("a server");
        let client = Client::builder()
            .base_url("http://in-process")
            .transport(SharedTransport::new(TowerTransport::new(server.trusted_router("a2a"))))
            .build()
            .expect("a client");
        let host = change(builder(&client)).build().await.expect("a host");
        let transport = SharedTransport::new(TowerTransport::new(host.router()));
        Self { server, host, transport, dir }
    }

    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (StatusCode, HeaderMap, Body) {
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(Body::from(body)).expect("a request");
        let (parts, body) = self.transport.send(request).await.expect("an answer").into_parts();
        (parts.status, parts.headers, body)
    }

    pub async fn rest(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, _, body) = self.raw(method, path, &[("a2a-version", "1.0")], body).await;
        let bytes = body.collect(1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let (status, _, body) = self.raw(Method::POST, "/", &[("a2a-version", "1.0")], &call).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value =
            serde_json::from_slice(&body.collect(1 << 20).await.expect("a body")).expect("JSON");
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
        answer
    }

    /// The events of a stream, with their ids.
    pub async fn stream(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Vec<(String, Value)> {
        let method = if body.is_null() { Method::GET } else { Method::POST };
        let headers = [&[("a2a-version", "1.0")], headers].concat();
        let (status, answered, mut body) = self.raw(method, path, &headers, body).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answered["content-type"], "text/event-stream");
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        while let Some(piece) = body.next().await {
            decoder.push(&piece.expect("a piece"));
            while let Some(frame) = decoder.next_frame() {
                let frame = frame.expect("a frame");
                let id = frame.id().unwrap_or_default().to_owned();
                events.push((id, serde_json::from_slice(frame.data()).expect("JSON")));
            }
        }
        events
    }

    pub async fn send(&self, text: &str, more: Value) -> Value {
        let (status, answer) = self.rest(Method::POST, "/message:send", &message(text, more)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["task"].clone()
    }

    /// The task once it is as wanted.
    pub async fn task(&self, id: &str, state: &str) -> Value {
        for _ in 0..200 {
            let (_, task) = self.rest(Method::GET, &format!("/tasks/{id}"), &Value::Null).await;
            if task["status"]["state"] == state {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the task never is {state}");
    }

    pub async fn close(self) {
        self.host.close().await;
        self.server.close().await;
        std::fs::remove_dir_all(self.dir).expect("the folder goes");
    }
}

/// A send with a message of one text; `more` goes into the message, or into the request where it
/// is a configuration.
pub fn message(text: &str, more: Value) -> Value {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut message = json!({
        "messageId": format!("m{number}"), "role": "ROLE_USER", "parts": [{"text": text}],
    });
    let mut request = json!({});
    let Value::Object(fields) = more else { panic!("fields are an object") };
    for (name, value) in fields {
        let place = if name == "configuration" { &mut request } else { &mut message };
        place[name] = value;
    }
    request["message"] = message;
    request
}

pub fn text(task: &Value) -> String {
    let artifacts = task["artifacts"].as_array().into_iter().flatten();
    let parts = artifacts.flat_map(|artifact| artifact["parts"].as_array().into_iter().flatten());
    { parts }.filter_map(|part| part["text"].as_str()).collect()
}

pub fn reason(error: &Value) -> &str {
    let details = if error["details"].is_array() { &error["details"] } else { &error["data"] };
    details[0]["reason"].as_str().unwrap_or_default()
}
