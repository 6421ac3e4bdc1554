//! Remote agents as tools: our own host over loopback, and hosts that misbehave.
#![cfg(all(feature = "host", feature = "remote"))]

use std::time::Duration;

use futures::{StreamExt, stream};
use http::{Request, Response};
use interactions_a2a::remote::CallDepth;
use interactions_a2a::{
    A2aHost, A2aTool, Card, CardSigner, CardVerifier, Host, HostedAgent, InteractionsExecutor,
    RemoteErrorKind, Skill,
};
use interactions_agent::{Agent, AgentError, Decisions, Need, Outcome, RunEvent, RunState, Tool};
use interactions_client::Client;
use interactions_server::{Config, Server};
use interactions_testing::{Reply, ScriptedModel, ScriptedTurn, capture};
use interactions_transport::guard::Guard;
use interactions_transport::{
    Body, ReqwestTransport, SharedTransport, TowerTransport, Transport, TransportError,
    TransportErrorKind,
};
use interactions_types::{CreateInteraction, Function, JsonObject, ToolOutput};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// An agent on the network, and what it is reached by.
struct Place {
    host: Host,
    model: ScriptedModel,
    authority: String,
    serving: JoinHandle<()>,
}

impl Place {
    async fn new(card: Card, turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        Self::with(card, turns, |host| host).await
    }

    async fn with(
        card: Card,
        turns: impl IntoIterator<Item = ScriptedTurn>,
        change: impl FnOnce(A2aHost) -> A2aHost,
    ) -> Self {
        let model = ScriptedModel::new(turns);
        let client = Client::builder().transport(model.transport()).build().expect("a client");
        let question = Function::new("ask_human").description("Asks a person.");
        let request = CreateInteraction::new("any-model", "").tools(vec![question.into()]);
        let executor = InteractionsExecutor::with_request(client, request);
        let host = A2aHost::with_agent("helper", HostedAgent::new(card, executor));
        let (host, listener) = change(host).bind("127.0.0.1:0").await.expect("a host");
        let authority = host.base_url().trim_start_matches("http://").to_owned();
        let serving = tokio::spawn({
            let host = host.clone();
            async move { host.serve(listener, std::future::pending()).await.expect("it serves") }
        });
        Self { host, model, authority, serving }
    }

    fn tool(&self) -> A2aTool {
        let url = format!("http://{}", self.authority);
        A2aTool::from_card(url).allow(&self.authority).build().expect("a toolset")
    }

    async fn close(self) {
        self.serving.abort();
        self.host.close().await;
    }
}

fn helper() -> Card {
    Card::new("Helper", "Helps with everything.")
}

fn caller(turns: impl IntoIterator<Item = ScriptedTurn>, tool: A2aTool) -> Agent {
    let client = Client::builder().transport(ScriptedModel::new(turns).transport()).build();
    Agent::builder(client.expect("a client"), "any-model").toolset(tool).build()
}

fn results(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.steps.iter();
    let text = |step: &interactions_types::Step| match step {
        interactions_types::Step::FunctionResult(result) => Some(result.result.to_text()),
        _ => None,
    };
    steps.filter_map(text).collect()
}

fn setup_message(error: &AgentError) -> String {
    assert!(matches!(error, AgentError::Setup { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn skills_are_tools_whose_progress_is_told() {
    let card = helper()
        .skill(Skill::new("find-books", "Finds books.").example("Books on whales?"))
        .skill(Skill::new("read", "Reads a book aloud."));
    let place = Place::new(card, [ScriptedTurn::text("Moby-Dick.")]).await;
    let tool = place.tool();
    let skills = tool.skills().await.unwrap();
    let declared: Vec<Function> = skills.iter().map(Tool::declaration).collect();
    assert_eq!(declared[0].name, "find_books");
    assert_eq!(declared[1].name, "read");
    assert!(declared[0].description.as_deref().unwrap().contains("Books on whales?"));

    let script = [
        ScriptedTurn::call("c1", "find_books", json!({"message": "On whales?"})),
        ScriptedTurn::text("Read Moby-Dick."),
    ];
    let mut run = caller(script, tool).stream("A book on whales?");
    let (mut progress, mut outcome) = (Vec::new(), None);
    while let Some(event) = run.next().await {
        match event.unwrap() {
            RunEvent::ToolProgress { progress: told, .. } => progress.push(told),
            RunEvent::Finished(done) => outcome = Some(done),
            _ => {}
        }
    }
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output_text(), "Read Moby-Dick.");
    assert!(results(&outcome)[0].starts_with("Moby-Dick.\n[conversation: "), "{outcome:?}");
    let pieces: String = progress.iter().filter_map(|told| told["text"].as_str()).collect();
    assert_eq!(pieces, "Moby-Dick.");
    assert_eq!(progress.last().unwrap()["state"], "TASK_STATE_COMPLETED");
    assert_eq!(progress[0]["agent"], "Helper");
    place.close().await;
}

#[tokio::test]
async fn an_agent_without_skills_is_one_tool_that_can_be_asked_without_streams() {
    let place =
        Place::new(helper(), [ScriptedTurn::text("Four."), ScriptedTurn::text("Six.")]).await;
    let url = format!("http://{}", place.authority);
    let tool = A2aTool::from_card(url)
        .allow(&place.authority)
        .streaming(false)
        .prefix("far_")
        .build()
        .unwrap();
    let again = |context: &str| json!({"message": "And plus two?", "context": context});
    let first = caller(
        [
            ScriptedTurn::call("c1", "far_helper", json!({"message": "Two and two?"})),
            ScriptedTurn::text("4"),
        ],
        tool.clone(),
    );
    let outcome = first.run("2 + 2?").await.unwrap();
    let told = results(&outcome).remove(0);
    let context = told.strip_prefix("Four.\n[conversation: ").unwrap().trim_end_matches(']');
    let second = caller(
        [ScriptedTurn::call("c1", "far_helper", again(context)), ScriptedTurn::text("6")],
        tool,
    );
    let outcome = second.run("+ 2?").await.unwrap();
    assert!(results(&outcome)[0].contains(context), "the same conversation");
    let asked = place.model.requests();
    assert!(asked[1].previous_interaction_id.is_some(), "it goes on");
    place.close().await;
}

#[tokio::test]
async fn what_the_agent_asks_pauses_the_run_and_the_answer_reaches_the_same_task() {
    let turns = [
        ScriptedTurn::call("q1", "ask_human", json!({"question": "Which city?"})),
        ScriptedTurn::text("Rain in Rome."),
    ];
    let place = Place::new(helper(), turns).await;
    let agent = caller(
        [
            ScriptedTurn::call("c1", "helper", json!({"message": "The weather?"})),
            ScriptedTurn::text("It rains."),
        ],
        place.tool(),
    );
    let outcome = agent.run("The weather?").await.unwrap();
    let state = outcome.paused().expect("it waits for a person");
    let pending = state.pending();
    let Need::Input { message, schema } = &pending[0].need else { panic!("a question") };
    assert_eq!(message, "Helper asks: Which city?");
    let kept = &schema.as_ref().unwrap()["x-a2a"];
    assert!(kept["taskId"].is_string() && kept["call"]["name"] == "ask_human", "{kept}");

    // As another process would go on.
    let state = RunState::from_json(&state.to_json()).unwrap();
    let decisions = Decisions::new().answer("c1", "Rome");
    let outcome = agent.resume(state, decisions).finish().await.unwrap();
    assert_eq!(outcome.output_text(), "It rains.");
    assert!(results(&outcome)[0].starts_with("Rain in Rome."), "{outcome:?}");
    let answer = &place.model.results()[0];
    assert!(answer.result.to_text().contains("Rome"), "{answer:?}");
    assert_eq!(place.model.turns_left(), 0);
    place.close().await;
}

#[tokio::test]
async fn a_model_may_answer_if_it_is_allowed_to() {
    let card = card_with(&json!({"streaming": false}));
    let asks = json!({"task": {"id": "t/1", "contextId": "c", "status": {
        "state": "TASK_STATE_INPUT_REQUIRED",
        "message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "Which?"}]},
    }}});
    let done = json!({"task": {"id": "t/1", "contextId": "c",
        "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "a", "parts": [{"text": "Fine."}]}]}});
    let far =
        capture([Reply::json(card), Reply::json(asks.to_string()), Reply::json(done.to_string())]);
    let tool = A2aTool::from_card("https://far.example")
        .transport(far.transport())
        .model_answers(true)
        .build()
        .unwrap();
    let tool = tool.skills().await.unwrap().remove(0);
    let output = call(&tool, json!({"message": "Do it."})).await.unwrap().to_text();
    assert!(output.contains("Which?") && output.contains("`t/1`"), "{output}");
    let output = call(&tool, json!({"message": "This.", "task": "t/1"})).await.unwrap();
    assert_eq!(output.to_text(), "Fine.\n[conversation: c]");
    assert_eq!(far.requests()[2].json()["message"]["taskId"], "t/1");
}

#[tokio::test]
async fn cards_are_verified_and_private_addresses_refused() {
    let pem = include_str!("cards/keys/es256.pem");
    let signer = CardSigner::from_pem(pem, "key-1").unwrap();
    let jwk = signer.public_jwk();
    let place = Place::with(helper(), [], |host| host.sign_cards(signer)).await;
    let url = format!("http://{}", place.authority);
    let tool = |jwk: &Value| {
        let verifier = CardVerifier::new(&json!({"keys": [jwk]})).unwrap();
        A2aTool::from_card(&url).allow(&place.authority).verify(verifier).build().unwrap()
    };
    assert_eq!(tool(&jwk).skills().await.unwrap().len(), 1);
    let mut other = jwk.clone();
    other["kid"] = json!("key-2");
    let error = tool(&other).skills().await.unwrap_err();
    assert_eq!(error.kind(), RemoteErrorKind::Signature, "{error}");

    let unguarded = A2aTool::from_card(&url).build().unwrap();
    let error = unguarded.skills().await.unwrap_err();
    assert_eq!(error.kind(), RemoteErrorKind::Refused, "{error}");
    let error = caller([ScriptedTurn::text("x")], unguarded).run("x").await.unwrap_err();
    assert!(setup_message(&error).contains("not a public address"));
    let error = A2aTool::from_card("http://far.example").build().unwrap_err();
    assert_eq!(error.kind(), RemoteErrorKind::Refused, "{error}");
    place.close().await;
}

/// A card with the HTTP+JSON interface of `https://far.example`.
fn card_with(capabilities: &Value) -> String {
    json!({"name": "Far", "description": "Far away.", "version": "1", "skills": [],
    "capabilities": capabilities, "supportedInterfaces": [
        {"url": "https://far.example", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
    ]})
    .to_string()
}

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn begun() -> Value {
    json!({"task": {"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_WORKING"}}})
}

fn piece(text: &str, append: bool) -> Value {
    json!({"artifactUpdate": {"taskId": "t1", "contextId": "c1", "append": append,
        "artifact": {"artifactId": "a", "parts": [{"text": text}]}}})
}

fn status(state: &str, text: &str) -> Value {
    let message = json!({"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": text}]});
    json!({"statusUpdate": {"taskId": "t1", "contextId": "c1",
        "status": {"state": state, "message": message}}})
}

fn done(text: &str) -> String {
    json!({"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "a", "parts": [{"text": text}]}]})
    .to_string()
}

async fn call(
    tool: &impl Tool,
    arguments: Value,
) -> Result<ToolOutput, interactions_agent::ToolError> {
    let context = interactions_agent::ToolContext::new("c1", "");
    let arguments: JsonObject = serde_json::from_value(arguments).expect("an object");
    tool.call(context, arguments).await
}

/// What comes of one call to an agent that answers like this, and what it was asked.
async fn far(
    replies: impl IntoIterator<Item = Reply>,
) -> (Result<ToolOutput, interactions_agent::ToolError>, Vec<String>) {
    let card = Reply::json(card_with(&json!({"streaming": true})));
    let far = capture([card].into_iter().chain(replies));
    let tool = A2aTool::from_card("https://far.example").transport(far.transport());
    let tool = tool.conversations(false).build().expect("a toolset");
    let tool = tool.skills().await.expect("a card").remove(0);
    let result =
        tokio::time::timeout(Duration::from_secs(60), call(&tool, json!({"message": "Go."})));
    let result = result.await.expect("it ends");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = far.requests().into_iter().skip(1);
    (result, asked.map(|one| format!("{} {}", one.method, one.uri.path())).collect())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_taken_up_again_and_then_asked_for() {
    let broken = events(&[begun(), piece("Hel", false)]);
    let cut = || {
        Reply::sse(events(&[begun(), piece("Hel", false)]) + "data: {").cut_after(broken.len() + 3)
    };
    let whole =
        Reply::sse(events(&[begun(), piece("Hello", false), status("TASK_STATE_COMPLETED", "")]));
    let (result, asked) = far([cut(), whole, Reply::json(done("Hello"))]).await;
    assert_eq!(result.unwrap().to_text(), "Hello");
    let path = ["POST /message:stream", "POST /tasks/t1:subscribe", "GET /tasks/t1"];
    assert_eq!(asked, path);

    let unsupported = Reply::error(400, "invalid", "no");
    let working = begun()["task"].to_string();
    let (result, asked) =
        far([cut(), unsupported, Reply::json(working), Reply::json(done("Hello"))]).await;
    assert_eq!(result.unwrap().to_text(), "Hello");
    assert_eq!(asked[2..], ["GET /tasks/t1", "GET /tasks/t1"]);
}

/// Breaks every stream that a message begins, behind its first piece.
#[derive(Debug)]
struct Cutting(SharedTransport);

#[async_trait::async_trait]
impl Transport for Cutting {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (parts, body) = request.into_parts();
        let body = body.collect(1 << 20).await?;
        let cut = body.windows(22).any(|window| window == b"\"SendStreamingMessage\"");
        let response = self.0.send(Request::from_parts(parts, Body::from(body))).await?;
        if !cut {
            return Ok(response);
        }
        let broken = || TransportError::new(TransportErrorKind::Interrupted, "cut by the test");
        let end = stream::once(async move { Err(broken()) });
        Ok(response.map(|body| Body::stream(body.take(1).chain(end))))
    }
}

#[tokio::test]
async fn a_broken_stream_of_our_own_host_loses_nothing() {
    let place = Place::new(helper(), [ScriptedTurn::text("All of a long answer.")]).await;
    let guard = Guard::new([&place.authority]).unwrap();
    let cutting = SharedTransport::new(Cutting(guard.transport().unwrap()));
    let tool = A2aTool::from_card(format!("http://{}", place.authority)).transport(cutting);
    let tool = tool.conversations(false).build().unwrap().skills().await.unwrap().remove(0);
    let output = call(&tool, json!({"message": "Go."})).await.unwrap();
    assert_eq!(output.to_text(), "All of a long answer.");
    assert_eq!(place.model.requests().len(), 1, "it is asked once");
    place.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_yet_is_waited_for() {
    let asks = json!({"id": "t1", "contextId": "c1", "status": {
        "state": "TASK_STATE_INPUT_REQUIRED", "timestamp": "2026-01-01T00:00:00Z",
        "message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "Which?"}]},
    }});
    let shown = json!({"task": asks}).to_string();
    let card = || Reply::json(card_with(&json!({"streaming": false})));
    let far = capture([
        card(),
        Reply::json(shown.clone()),
        card(),
        Reply::json(asks.to_string()),
        Reply::json(shown),
        Reply::json(asks.to_string()),
        Reply::json(done("Thanks.")),
    ]);
    let tool =
        A2aTool::from_card("https://far.example").transport(far.transport()).build().unwrap();
    let agent = caller(
        [ScriptedTurn::call("c1", "far", json!({"message": "Go."})), ScriptedTurn::text("ok")],
        tool,
    );
    let state = agent.run("Go.").await.unwrap().paused().unwrap().clone();
    let outcome = agent.resume(state, Decisions::new().answer("c1", "A")).finish().await.unwrap();
    assert!(results(&outcome)[0].starts_with("Thanks."), "{outcome:?}");
    let sent = far.requests()[4].json();
    assert_eq!(
        (&sent["message"]["taskId"], &sent["message"]["contextId"]),
        (&json!("t1"), &json!("c1"))
    );
    assert_eq!(sent["configuration"]["returnImmediately"], true);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_before_its_task_is_not_its_end() {
    let short = Reply::sse(events(&[begun()]));
    let whole =
        Reply::sse(events(&[begun(), piece("All.", false), status("TASK_STATE_COMPLETED", "")]));
    let (result, _) = far([short, whole, Reply::json(done("All."))]).await;
    assert_eq!(result.unwrap().to_text(), "All.");
    let (result, _) = far([Reply::sse("")]).await;
    assert!(result.unwrap_err().to_string().contains("before the agent had named its task"));
}

#[tokio::test]
async fn answers_without_a_task_and_bad_ends_are_told() {
    let message =
        json!({"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "Hi."}]}});
    let (result, _) = far([Reply::sse(events(&[message]))]).await;
    assert_eq!(result.unwrap().to_text(), "Hi.");
    for (state, why) in [
        ("TASK_STATE_FAILED", "has failed: Because."),
        ("TASK_STATE_REJECTED", "does not do that: Because."),
        ("TASK_STATE_CANCELED", "was told to stop: Because."),
    ] {
        let (result, asked) =
            far([Reply::sse(events(&[begun(), status(state, "Because.")]))]).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(asked.len(), 1, "nothing is cancelled that has ended");
    }
    let refused = json!({"error": {"code": 400, "message": "not me", "details": [
        {"reason": "UNSUPPORTED_EXTENSION"}, {"reason": "INVALID_PARAMS"}]}});
    let (result, _) = far([Reply::json(refused.to_string())]).await;
    assert!(result.unwrap_err().to_string().contains("(INVALID_PARAMS): not me"));
    let (result, _) = far([Reply::error(401, "x", "who are you?")]).await;
    assert!(result.unwrap_err().to_string().contains("credentials"));
}

#[tokio::test]
async fn a_login_pauses_the_run_and_may_happen_elsewhere() {
    let login = Reply::sse(events(&[begun(), status("TASK_STATE_AUTH_REQUIRED", "Go to x.")]));
    let card = Reply::json(card_with(&json!({"streaming": true})));
    let card_again = Reply::json(card_with(&json!({"streaming": true})));
    let far = capture([card, login, card_again, Reply::json(done("In."))]);
    let tool =
        A2aTool::from_card("https://far.example").transport(far.transport()).build().unwrap();
    let agent = caller(
        [ScriptedTurn::call("c1", "far", json!({"message": "Mail?"})), ScriptedTurn::text("ok")],
        tool,
    );
    let outcome = agent.run("Mail?").await.unwrap();
    let state = outcome.paused().unwrap().clone();
    let Need::Input { message, .. } = &state.pending()[0].need else { panic!("a question") };
    assert_eq!(message, "Far wants somebody to log in: Go to x.");
    let outcome =
        agent.resume(state, Decisions::new().answer("c1", "done")).finish().await.unwrap();
    assert!(results(&outcome)[0].starts_with("In."), "{outcome:?}");
    let requests = far.requests();
    let last = requests.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.uri.path()),
        ("GET", "/tasks/t1"),
        "nothing is sent twice"
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_or_takes_too_long_cancels_the_task() {
    let stream = events(&[begun(), piece("Hel", false)]);
    let silent = || Reply::sse(stream.clone() + "data: {}").silent_after(stream.len());
    let card = || Reply::json(card_with(&json!({"streaming": true})));
    let cancelled = || Reply::json(begun()["task"].to_string());
    let far = capture([card(), silent(), cancelled(), silent(), cancelled()]);
    let tool = A2aTool::from_card("https://far.example")
        .transport(far.transport())
        .time_limit(Duration::from_millis(200))
        .build()
        .unwrap();
    let tool = tool.skills().await.unwrap().remove(0);
    let wait =
        tokio::time::timeout(Duration::from_millis(50), call(&tool, json!({"message": "Go."})));
    assert!(wait.await.is_err(), "it is dropped");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(far.requests()[2].uri.path(), "/tasks/t1:cancel");
    let error = call(&tool, json!({"message": "Go."})).await.unwrap_err();
    assert!(error.to_string().contains("was not done after"), "{error}");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(far.requests()[4].uri.path(), "/tasks/t1:cancel");
}

#[tokio::test]
async fn hostile_cards_and_answers_are_errors_with_a_reason() {
    let interface = |url: &str| {
        json!({"name": "Far", "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]})
        .to_string()
    };
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(2 << 20));
    for (reply, kind) in [
        (Reply::json(interface("https://other.example/")), RemoteErrorKind::Refused),
        (Reply::json(interface("http://169.254.169.254/latest")), RemoteErrorKind::Refused),
        (Reply::json(interface("file:///etc/passwd")), RemoteErrorKind::Refused),
        (Reply::json(large), RemoteErrorKind::TooLarge),
        (Reply::json("<html>"), RemoteErrorKind::Card),
        (Reply::json(r#"{"name": "A", "name": "B"}"#), RemoteErrorKind::Card),
        (Reply::json("[".repeat(100_000)), RemoteErrorKind::Card),
        (Reply::error(302, "x", "elsewhere"), RemoteErrorKind::Http(302)),
        (Reply::error(404, "x", "none"), RemoteErrorKind::Http(404)),
    ] {
        let far = capture([reply]);
        let tool = A2aTool::from_card("https://far.example").transport(far.transport());
        let error = tool.build().unwrap().skills().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let named = |id: &str| json!({"task": {"id": id, "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}});
    for (replies, why) in [
        (vec![Reply::sse(events(&[named("..")]))], "cannot be one"),
        (vec![Reply::sse(events(&[begun(), named("other")]))], "another task"),
        (vec![Reply::sse("data: nonsense\n\n")], "not JSON"),
        (vec![Reply::sse("data: {\"task\": 7}\n\n")], "no event"),
        (vec![Reply::json("{\"task\": {\"status\": []}}")], "no event"),
        (vec![Reply::sse(format!("data: {}", "x".repeat(17 << 20)))], "too large"),
    ] {
        let (result, _) = far(replies).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn chains_of_agents_have_an_end() {
    let far = capture([
        Reply::json(card_with(&json!({}))),
        Reply::json(
            json!({"task": {
        "id": "t1", "status": {"state": "TASK_STATE_COMPLETED"}}})
            .to_string(),
        ),
    ]);
    let tool = A2aTool::from_card("https://far.example").transport(far.transport());
    let tool = tool.depth_limit(3).build().unwrap().skills().await.unwrap().remove(0);
    let context = |depth| {
        let context = interactions_agent::ToolContext::new("c1", "");
        context.with_dependency(CallDepth::new(depth))
    };
    let arguments: JsonObject = serde_json::from_value(json!({"message": "Go."})).unwrap();
    let error = tool.call(context(3), arguments.clone()).await.unwrap_err();
    assert!(error.to_string().contains("called agents 3 times"), "{error}");
    assert_eq!(far.requests().len(), 1, "nothing is sent");
    tool.call(context(2), arguments).await.unwrap();
    let sent = far.requests()[1].json();
    assert_eq!(sent["message"]["metadata"]["interactions/depth"], 3);

    // A host of ours stops it, too.
    let place = Place::new(helper(), []).await;
    let url = format!("http://{}", place.authority);
    let tool = A2aTool::from_card(url).allow(&place.authority).depth_limit(99).build().unwrap();
    let tool = tool.skills().await.unwrap().remove(0);
    let arguments: JsonObject = serde_json::from_value(json!({"message": "Go."})).unwrap();
    let error = tool.call(context(20), arguments).await.unwrap_err();
    assert!(error.to_string().contains("21 times"), "{error}");
    place.close().await;
}

#[tokio::test]
async fn an_agent_that_calls_itself_through_its_host_comes_to_an_end() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let url = format!("http://{authority}");
    let calls = (0..4).map(|number| {
        ScriptedTurn::call(&format!("c{number}"), "echo", json!({"message": "Once more."}))
    });
    let model = ScriptedModel::new(calls.chain((0..4).map(|_| ScriptedTurn::text("Enough."))));
    let client = Client::builder().transport(model.transport()).build().unwrap();
    let tool = A2aTool::from_card(&url).allow(&authority).depth_limit(3).build().unwrap();
    let agent = Agent::builder(client, "any").toolset(tool).build();
    let dir = std::env::temp_dir().join(format!("interactions-a2a-loop-{}", std::process::id()));
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).agent("echo", agent).build().await.unwrap();
    let inside = SharedTransport::new(TowerTransport::new(server.trusted_router("a2a")));
    let inside = Client::builder().base_url("http://in-process").transport(inside).build().unwrap();
    let card = Card::new("echo", "Calls itself.").skill(Skill::new("echo", "Echo"));
    let host = A2aHost::new(inside, "echo").card(card).base_url(&url).build().await.unwrap();
    let serving = host.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });

    let body = json!({"message": {
        "messageId": "m", "role": "ROLE_USER", "parts": [{"text": "Go."}]}});
    let request = Request::post(format!("{url}/message:send"))
        .header("a2a-version", "1.0")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let transport = ReqwestTransport::new().unwrap();
    let sent = transport.send(request);
    let answer = tokio::time::timeout(Duration::from_secs(30), sent).await.unwrap().unwrap();
    let answer = answer.into_body().collect(1 << 20).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{answer}");
    let asked = model.requests();
    assert_eq!(asked.len(), 8, "four agents, each asked twice");
    assert!(json!(asked[4]).to_string().contains("called agents 3 times"), "{:?}", asked[4]);
    host.close().await;
    server.close().await;
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_card_that_has_not_changed_is_not_read_again() {
    let card = Reply::json(card_with(&json!({}))).header("etag", "\"one\"");
    let same = Reply::error(304, "x", "");
    let far = capture([card, same]);
    let tool = A2aTool::from_card("https://far.example").transport(far.transport());
    let tool = tool.header("x-api-key", "secret").build().unwrap();
    assert!(!format!("{tool:?}").contains("secret"));
    assert_eq!(tool.skills().await.unwrap().len(), 1);
    assert_eq!(tool.skills().await.unwrap().len(), 1);
    let asked = far.requests();
    assert_eq!(asked[1].headers["if-none-match"], "\"one\"");
    assert_eq!(asked[1].headers["x-api-key"], "secret");
}
