//! A remote server over a scripted transport: what comes back, what fails, what is repeated.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is used")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, Response};
use interactions_mcp::{McpEndpoint, McpErrorKind, McpServer};
use interactions_transport::{
    Body, SharedTransport, Transport, TransportError, TransportErrorKind,
};
use serde_json::{Map, Value, json};

const LIMIT: Duration = Duration::from_secs(5);

/// An MCP server that needs no network. The name of the tool says how it behaves.
#[derive(Clone, Debug, Default)]
struct Fake(Arc<State>);

#[derive(Debug, Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    sessions: AtomicUsize,
    /// Sessions up to this number are forgotten.
    forgotten: AtomicUsize,
    /// The status with which a forgotten session is denied, if not 404.
    denial: Mutex<Option<(u16, Value)>>,
    /// What greets a client instead of the usual.
    greeting: Mutex<Option<(u16, &'static str, String)>>,
    answer_in_events: bool,
    endless_list: bool,
    knows_discover: bool,
    dropped: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    headers: HeaderMap,
    message: Value,
}

impl Seen {
    /// The JSON-RPC method and tool, or the HTTP method.
    fn what(&self) -> String {
        let tool = self.message["params"]["name"].as_str().unwrap_or_default();
        match self.message["method"].as_str() {
            Some(method) => format!("{method} {tool}").trim().to_owned(),
            None => self.method.to_string(),
        }
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn respond(status: u16, content_type: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body.into())
        .unwrap()
}

fn result(id: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

fn event(id: Option<&str>, message: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: message\n{id}data: {message}\n\n")
}

fn in_pieces(text: &str) -> Body {
    let pieces: Vec<_> =
        text.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::stream(stream::iter(pieces))
}

impl Fake {
    fn transport(&self) -> SharedTransport {
        SharedTransport::new(self.clone())
    }

    async fn connect(&self) -> McpServer {
        let endpoint = endpoint().header("authorization", "Bearer hunter2").unwrap();
        McpServer::connect(endpoint, self.transport(), LIMIT).await.unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| seen.what() == what).count()
    }

    fn reply(&self, id: &Value, value: Value) -> Response<Body> {
        let message = result(id, value);
        if self.0.answer_in_events {
            respond(200, "text/event-stream; charset=utf-8", in_pieces(&event(None, &message)))
        } else {
            respond(200, "application/json", message.to_string())
        }
    }

    fn greet(&self, id: &Value) -> Response<Body> {
        if let Some((status, content_type, body)) = self.0.greeting.lock().unwrap().clone() {
            return respond(status, content_type, body);
        }
        let session = self.0.sessions.fetch_add(1, Ordering::SeqCst) + 1;
        let mut response = self.reply(
            id,
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "fake", "version": "1"},
                "instructions": "Be kind.",
            }),
        );
        let session = session.to_string().parse().unwrap();
        response.headers_mut().insert("mcp-session-id", session);
        response
    }

    fn list(&self, id: &Value, cursor: Option<&str>) -> Response<Body> {
        let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
        let page = match cursor {
            _ if self.0.endless_list => json!({"tools": [tool("c")], "nextCursor": "again"}),
            None => json!({"tools": [tool("a"), {"title": "broken"}], "nextCursor": "2"}),
            Some(_) => json!({"tools": [tool("b")]}),
        };
        self.reply(id, page)
    }

    async fn call(&self, id: &Value, params: &Value) -> Result<Response<Body>, TransportError> {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": 0, "progress": 1}});
        let events = |transcript: String| respond(200, "text/event-stream", in_pieces(&transcript));
        Ok(match params["name"].as_str().unwrap() {
            "echo" => self.reply(id, text(&params["arguments"].to_string())),
            "events" => events(event(None, &progress) + &event(None, &result(id, text("done")))),
            "fails" => self.reply(
                id,
                json!({"content": [{"type": "text", "text": "no luck"}], "isError": true}),
            ),
            "refused" => respond(
                200,
                "application/json",
                json!({"jsonrpc": "2.0", "id": id,
                    "error": {"code": -32602, "message": "unknown tool"}})
                .to_string(),
            ),
            "refused-400" => respond(
                400,
                "application/json",
                json!({"jsonrpc": "2.0", "id": "server-error",
                    "error": {"code": -32602, "message": "bad arguments"}})
                .to_string(),
            ),
            "text-id" => {
                let message = result(&json!(id.to_string()), text("same"));
                respond(200, "application/json", message.to_string())
            }
            "other-id" => {
                respond(200, "application/json", result(&json!(4711), text("")).to_string())
            }
            "huge" => self.reply(id, text(&"x".repeat(2000))),
            "huge-events" => events(event(Some("1"), &result(id, text(&"x".repeat(2000))))),
            "breaks" => events(event(None, &progress)),
            "resumes" => events("id: e1\ndata:\n\n".to_owned()),
            "never-resumes" => events("id: gone\ndata:\n\n".to_owned()),
            "page" => respond(200, "text/html", "<html>login</html>"),
            "not-json" => respond(200, "application/json", "oops"),
            "not-mcp-event" => events(format!("data: {{\"id\":{id},\"huh\":1}}\n\n")),
            "accepted" => respond(202, "text/plain", ""),
            "fails-500" => respond(500, "text/html", "<html>stack trace</html>"),
            "unauthorized" => respond(401, "text/plain", "token expired"),
            "moved" => {
                let mut response = respond(307, "text/plain", "");
                let to = "https://u:hunter2@elsewhere/mcp?key=hunter3".parse().unwrap();
                response.headers_mut().insert("location", to);
                response
            }
            "interrupted" => {
                return Err(TransportError::new(TransportErrorKind::Interrupted, "reset by peer"));
            }
            "unreachable" => {
                return Err(TransportError::new(TransportErrorKind::Connect, "refused"));
            }
            "forbidden" => {
                return Err(TransportError::new(TransportErrorKind::Refused, "10.0.0.1"));
            }
            "asks" => self.reply(
                id,
                json!({"resultType": "input_required", "inputRequests": {}, "requestState": "x"}),
            ),
            "slow" => {
                let _alive = CountDrop(Arc::clone(&self.0.dropped));
                std::future::pending().await
            }
            "slow-events" => {
                let alive = CountDrop(Arc::clone(&self.0.dropped));
                let pieces = stream::once(async move {
                    let _alive = alive;
                    std::future::pending::<Result<Bytes, TransportError>>().await
                });
                respond(200, "text/event-stream", Body::stream(pieces))
            }
            other => panic!("the test calls an unknown tool {other}"),
        })
    }
}

#[async_trait]
impl Transport for Fake {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (head, body) = request.into_parts();
        let body = body.collect(usize::MAX).await?;
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let seen = Seen { method: head.method.clone(), headers: head.headers, message };
        let (headers, message) = (seen.headers.clone(), seen.message.clone());
        self.0.seen.lock().unwrap().push(seen);

        let session = headers.get("mcp-session-id").and_then(|id| id.to_str().ok()?.parse().ok());
        if session.is_some_and(|id: usize| id <= self.0.forgotten.load(Ordering::SeqCst)) {
            let denial = self.0.denial.lock().unwrap().clone();
            let (status, body) = denial.unwrap_or((404, Value::Null));
            return Ok(respond(status, "application/json", body.to_string()));
        }
        if head.method == Method::GET {
            return Ok(match headers.get("last-event-id").map(|id| id.to_str().unwrap()) {
                Some("e1") => {
                    let call = self.seen().into_iter().rfind(|seen| seen.what().contains("call"));
                    let reply = result(
                        &call.unwrap().message["id"],
                        json!({"content": [{"type": "text", "text": "at last"}]}),
                    );
                    respond(200, "text/event-stream", in_pieces(&event(Some("e2"), &reply)))
                }
                _ => respond(405, "text/plain", ""),
            });
        }
        let id = &message["id"];
        let params = &message["params"];
        Ok(match message["method"].as_str() {
            Some("initialize") => self.greet(id),
            Some("server/discover") if self.0.knows_discover => self.reply(
                id,
                json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private",
                }),
            ),
            Some("tools/list") => self.list(id, params["cursor"].as_str()),
            Some("tools/call") => return self.call(id, params).await,
            _ if id.is_null() => respond(202, "text/plain", ""),
            _ => respond(404, "text/plain", ""),
        })
    }
}

fn endpoint() -> McpEndpoint {
    McpEndpoint::http("https://fake.example/mcp?key=hunter3")
        .unwrap()
        .name("fake")
        .reply_limit(1000)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}

#[tokio::test]
async fn greets_lists_and_calls() {
    for answer_in_events in [false, true] {
        let fake = Fake(Arc::new(State { answer_in_events, ..State::default() }));
        let server = fake.connect().await;
        assert_eq!(server.name(), "fake");
        assert_eq!(server.instructions().as_deref(), Some("Be kind."));
        let names: Vec<_> = server.tools().await.unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["a", "b"], "both pages, without the broken entry");

        let reply = server.call("echo", object(json!({"n": 1})), LIMIT).await.unwrap();
        assert!(!reply.is_error);
        assert_eq!(reply.into_output().to_text(), r#"{"n":1}"#);
        let reply = server.call("events", Map::new(), LIMIT).await.unwrap();
        assert_eq!(reply.into_output().to_text(), "done");
        let reply = server.call("fails", Map::new(), LIMIT).await.unwrap();
        assert!(reply.is_error);
        let reply = server.call("text-id", Map::new(), LIMIT).await.unwrap();
        assert_eq!(reply.into_output().to_text(), "same");

        let first = &fake.seen()[0];
        assert_eq!(first.what(), "initialize");
        assert_eq!(first.message["params"]["capabilities"], json!({}));
        assert!(!first.headers.contains_key("mcp-session-id"));
        for later in &fake.seen()[1..] {
            assert_eq!(later.headers["mcp-session-id"], "1");
            assert_eq!(later.headers["mcp-protocol-version"], "2025-06-18");
            assert_eq!(later.headers["authorization"], "Bearer hunter2");
            assert_eq!(later.headers["accept"], "application/json, text/event-stream");
            assert_eq!(later.headers["content-type"], "application/json");
        }
        assert_eq!(fake.count("GET"), 0, "no standing stream");

        server.shutdown().await;
        assert_eq!(fake.seen().last().unwrap().method, Method::DELETE);
        assert!(server.is_closed());
        let error = server.call("echo", Map::new(), LIMIT).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (McpErrorKind::Closed, false));
    }
}

#[tokio::test(start_paused = true)]
async fn every_failure_has_its_kind_and_says_whether_the_tool_may_have_run() {
    let fake = Fake::default();
    let server = fake.connect().await;
    let cases = [
        ("refused", McpErrorKind::Rejected, false, "unknown tool (JSON-RPC error -32602)"),
        ("refused-400", McpErrorKind::Rejected, false, "bad arguments"),
        ("other-id", McpErrorKind::Protocol, true, "not the reply"),
        ("huge", McpErrorKind::TooLarge, true, "limit of 1000 bytes"),
        ("huge-events", McpErrorKind::TooLarge, true, "limit of 1000 bytes"),
        ("breaks", McpErrorKind::Closed, true, "ended before the reply"),
        ("never-resumes", McpErrorKind::Closed, true, "could not be resumed: HTTP 405"),
        ("page", McpErrorKind::Protocol, true, "`text/html`"),
        ("not-json", McpErrorKind::Protocol, true, "not MCP"),
        ("not-mcp-event", McpErrorKind::Protocol, true, "not MCP"),
        ("accepted", McpErrorKind::Protocol, true, "text/plain"),
        ("fails-500", McpErrorKind::Protocol, true, "HTTP 500"),
        ("unauthorized", McpErrorKind::Unauthorized, false, "token expired"),
        ("moved", McpErrorKind::Protocol, false, "`https://elsewhere/mcp`"),
        ("interrupted", McpErrorKind::Connect, true, "reset by peer"),
        ("unreachable", McpErrorKind::Connect, false, "could not connect"),
        ("forbidden", McpErrorKind::Refused, false, "egress guard"),
        ("asks", McpErrorKind::Protocol, true, "further input"),
        ("slow", McpErrorKind::Timeout, true, "within 5s"),
        ("slow-events", McpErrorKind::Timeout, true, "within 5s"),
    ];
    for (tool, kind, may_have_run, words) in cases {
        let error = server.call(tool, Map::new(), LIMIT).await.unwrap_err();
        let text = error.to_string();
        assert_eq!((error.kind(), error.may_have_run()), (kind, may_have_run), "{tool}: {text}");
        assert!(text.contains(words), "{tool}: {text}");
        assert!(text.starts_with("MCP server `fake` (https://fake.example/mcp): tool `"), "{text}");
        assert!(!text.contains("hunter") && !text.contains("stack trace"), "{text}");
        assert_eq!(fake.count(&format!("tools/call {tool}")), 1, "{tool} was repeated");
    }
    // None of it harmed the connection.
    server.call("echo", Map::new(), LIMIT).await.unwrap();
    assert_eq!(fake.count("initialize"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_lets_go_and_tells_the_server() {
    for tool in ["slow", "slow-events"] {
        let fake = Fake::default();
        let server = fake.connect().await;
        for dropped in [false, true] {
            let limit = Duration::from_secs(if dropped { 60 } else { 1 });
            let call = server.call(tool, Map::new(), limit);
            let _ = tokio::time::timeout(Duration::from_secs(2), call).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(fake.0.dropped.load(Ordering::SeqCst), 2, "{tool} is still read");
        assert_eq!(fake.count("notifications/cancelled"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_event_stream_continues_where_it_was() {
    let fake = Fake::default();
    let server = fake.connect().await;
    let reply = server.call("resumes", Map::new(), LIMIT).await.unwrap();
    assert_eq!(reply.into_output().to_text(), "at last");
    let seen = fake.seen();
    let resumed = seen.last().unwrap();
    assert_eq!(resumed.method, Method::GET);
    assert_eq!(resumed.headers["last-event-id"], "e1");
    assert_eq!(resumed.headers["mcp-session-id"], "1");
    assert_eq!(fake.count("tools/call resumes"), 1);
}

#[tokio::test]
async fn a_forgotten_session_is_renewed_once_behind_a_call() {
    let no_session = json!({"jsonrpc": "2.0", "id": null,
        "error": {"code": -32000, "message": "Bad Request: No valid session ID provided"}});
    for denial in [None, Some((400, no_session))] {
        let fake = Fake::default();
        *fake.0.denial.lock().unwrap() = denial;
        let server = fake.connect().await;
        fake.0.forgotten.store(1, Ordering::SeqCst);
        server.call("echo", Map::new(), LIMIT).await.unwrap();
        assert_eq!(fake.count("initialize"), 2);
        assert_eq!(fake.count("tools/call echo"), 2, "denied once, run once");
        let last = fake.seen().pop().unwrap();
        assert_eq!(last.headers["mcp-session-id"], "2");

        // A server that denies every session is not asked for ever.
        fake.0.forgotten.store(usize::MAX, Ordering::SeqCst);
        let error = server.call("echo", Map::new(), LIMIT).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (McpErrorKind::Closed, false), "{error}");
        assert_eq!(fake.count("initialize"), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_run_at_the_same_time() {
    let fake = Fake::default();
    let server = fake.connect().await;
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.call("slow", Map::new(), LIMIT).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(fake.count("tools/call slow"), 40);
    server.call("echo", Map::new(), Duration::from_secs(1)).await.unwrap();
    for call in slow {
        assert_eq!(call.await.unwrap().unwrap_err().kind(), McpErrorKind::Timeout);
    }
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_fails_says_why() {
    let cases = [
        (
            (404, "text/plain", "not here"),
            McpErrorKind::Rejected,
            "HTTP 404 Not Found): not here; check the address",
        ),
        ((401, "text/plain", ""), McpErrorKind::Unauthorized, "HTTP 401"),
        ((200, "text/html", "<html>"), McpErrorKind::Protocol, "check that the address"),
        ((200, "text/event-stream", ""), McpErrorKind::Closed, "ended before the reply"),
        ((503, "text/plain", "starting"), McpErrorKind::Protocol, "starting"),
    ];
    for ((status, content_type, body), kind, words) in cases {
        let fake = Fake::default();
        *fake.0.greeting.lock().unwrap() = Some((status, content_type, body.to_owned()));
        let error = McpServer::connect(endpoint(), fake.transport(), LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.may_have_run(), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_sessions_is_greeted_in_its_way() {
    let fake = Fake(Arc::new(State { knows_discover: true, ..State::default() }));
    let refusal = json!({"jsonrpc": "2.0", "id": null,
        "error": {"code": -32601, "message": "no such method"}});
    *fake.0.greeting.lock().unwrap() = Some((400, "application/json", refusal.to_string()));
    let server = fake.connect().await;
    assert_eq!(server.tools().await.unwrap().len(), 2);
    server.call("echo", Map::new(), LIMIT).await.unwrap();
    let last = fake.seen().pop().unwrap();
    assert_eq!(last.headers["mcp-protocol-version"], "2026-07-28");
    assert_eq!(last.headers["mcp-method"], "tools/call");
    assert!(!last.headers.contains_key("mcp-session-id"));
}

/// Never answers.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(&self, _: Request<Body>) -> Result<Response<Body>, TransportError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_not_waited_for() {
    let transport = SharedTransport::new(Silent);
    let error = McpServer::connect(endpoint(), transport, LIMIT).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Timeout);
    assert!(error.to_string().contains("did not greet back within 5s"), "{error}");
}

#[tokio::test]
async fn a_list_without_end_is_an_error() {
    let fake = Fake(Arc::new(State { endless_list: true, ..State::default() }));
    let server = fake.connect().await;
    let error = server.tools().await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Protocol);
    assert!(error.to_string().contains("does not end"), "{error}");
}
