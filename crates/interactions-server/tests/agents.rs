//! Agents: those that callers keep, and Rust agents that the server hosts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use harness::{Harness, directory};
use interactions_agent::{Agent as RustAgent, tool_fn};
use interactions_server::{AgentConfig, Config, KeyConfig, Server};
use interactions_types::{
    Agent, CreateInteraction, Function, McpServer, Status, Step, StreamEvent, Target,
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

fn ask(agent: &str, input: &str) -> CreateInteraction {
    CreateInteraction::new("m", input).target(Target::agent(agent))
}

fn helper() -> Agent {
    Agent::new("helper").base_agent("scripted").system_instruction("Be brief.")
}

#[tokio::test]
async fn an_agent_is_kept_used_and_forgotten() {
    let server = Harness::new().await;
    let agents = server.client.agents();
    let weather = Function::new("get_weather").description("Tells the weather.");
    let made = agents.create(&helper().tools(vec![weather.into()])).await.unwrap();
    assert_eq!((made.id.as_str(), made.tools.as_ref().map(Vec::len)), ("helper", Some(1)));
    assert_eq!(agents.get("helper").await.unwrap(), made);

    let asked = server.client.create(ask("helper", "weather?")).await.unwrap();
    assert_eq!(asked.status, Status::RequiresAction, "its tools are the request's");
    assert_eq!(asked.agent.as_ref().map(|agent| agent.as_str()), Some("helper"));
    assert_eq!(asked.pending_calls()[0].name, "get_weather");

    let never = interactions_client::Backoff::never();
    let again = agents.create(&helper()).with_retry(never).await.unwrap_err();
    assert_eq!((again.status(), again.code()), (Some(409), Some("already_exists")));
    agents.delete("helper").await.unwrap();
    assert_eq!(agents.delete("helper").await.unwrap_err().status(), Some(404));
    assert_eq!(agents.get("helper").await.unwrap_err().status(), Some(404));
    let gone = server.client.create(ask("helper", "hi")).await.unwrap_err();
    assert_eq!((gone.status(), gone.code()), (Some(404), Some("not_found")));
    assert!(server.client.get(&asked.id).await.is_ok(), "what it has done stays");
}

#[tokio::test]
async fn agents_of_the_server_come_first_and_cannot_be_changed() {
    let mut config = Config::default();
    let mut fixed = AgentConfig::new("fixed", "scripted");
    fixed.system_instruction = Some("Be kind.".to_owned());
    config.agents = vec![fixed];
    let server = Harness::with(config).await;
    let agents = server.client.agents();
    for number in 0..5 {
        let agent = Agent::new(format!("a{number}")).base_agent("fixed");
        agents.create(&agent).await.unwrap();
    }
    let listed: Vec<Agent> = agents.list().page_size(2).items().try_collect().await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|agent| agent.id.as_str()).collect();
    assert_eq!(ids, ["fixed", "a0", "a1", "a2", "a3", "a4"]);
    let refused = agents.delete("fixed").await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(400), Some("failed_precondition")));
    let never = interactions_client::Backoff::never();
    let taken = Agent::new("fixed").base_agent("scripted");
    assert_eq!(agents.create(&taken).with_retry(never).await.unwrap_err().status(), Some(409));
    let answer = server.client.create(ask("a0", "hi")).await.unwrap();
    assert_eq!(answer.output_text(), "You said: hi", "an agent may be made from another");
    let token = agents.list().page_token("x").await.unwrap_err();
    assert!(token.to_string().contains("page_token"), "{token}");
}

#[tokio::test]
async fn what_an_agent_cannot_be_is_said_when_it_is_made() {
    let server = Harness::new().await;
    for (agent, part) in [
        (json!({"id": "a"}), "base_agent"),
        (json!({"id": "a", "base_agent": "nobody"}), "nobody"),
        (json!({"id": "../a", "base_agent": "scripted"}), "`id`"),
        (json!({"id": "a", "base_agent": "scripted", "novel": 1}), "novel"),
        (json!({"id": "a", "base_agent": "scripted", "base_environment": "remote"}), "sandboxes"),
        (
            json!({"id": "a", "base_agent": "scripted", "tools": [{"type": "google_search"}]}),
            "tools[0]",
        ),
        (
            json!({"id": "a", "base_agent": "scripted", "agent_config": {"type": "dynamic"}}),
            "agent_config",
        ),
        (json!([]), "object"),
    ] {
        let (status, answer) = server.raw("POST", "/v1/agents", agent.to_string()).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(
            [400, 404].contains(&status) && message.contains(part),
            "{agent}: {status} {answer}"
        );
    }
    let (status, made) = server.raw("POST", "/v1/agents", r#"{"base_agent":"scripted"}"#).await;
    assert_eq!((status, &made["object"]), (200, &json!("agent")));
    assert!(made["id"].as_str().unwrap().starts_with("agent-") && made["created"].is_string());
}

#[tokio::test]
async fn agents_and_their_secrets_are_their_tenant_s_alone() {
    let mut config = Config::default();
    config.auth.keys = vec![KeyConfig::new("a", "a"), KeyConfig::new("b", "b")];
    let dir = directory();
    let server = Harness::at(dir.clone(), config).await;
    let agents = server.client.agents();
    let headers = BTreeMap::from([("authorization".to_owned(), "Bearer hush-hush".to_owned())]);
    let docs = McpServer::new().name("docs").url("https://docs.example.com/mcp").headers(headers);
    let agent = helper().tools(vec![docs.into()]);
    let made = agents.create(&agent).extra_header("x-goog-api-key", "a").await.unwrap();
    assert!(!format!("{made:?}").contains("hush-hush"));
    let mine = agents.get("helper").extra_header("x-goog-api-key", "a").await.unwrap();
    assert_eq!(mine, made);
    let other = agents.get("helper").extra_header("x-goog-api-key", "b");
    assert_eq!(other.await.unwrap_err().status(), Some(404));
    let other = server.client.create(ask("helper", "hi")).extra_header("x-goog-api-key", "b");
    assert_eq!(other.await.unwrap_err().status(), Some(404));
    server.server.close().await;
    for file in std::fs::read_dir(&dir).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"hush-hush"));
    }
}

/// A server that hosts an agent, whose own model is in another server.
async fn hosting(calls: &Arc<AtomicU32>, pause: Duration) -> (Harness, Harness) {
    let inner = Harness::new().await;
    let count = Arc::clone(calls);
    let add = tool_fn("calculator", "Works out an expression.", move |it: Expression| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(pause).await;
            Ok::<_, String>(format!("{} is 42", it.expression))
        }
    });
    let agent = RustAgent::builder(inner.client.clone(), "scripted").tool(add).store(false).build();
    let mut config = Config::default();
    let dir = directory();
    config.data_dir = Some(dir.clone());
    config.background.lease = Duration::from_millis(400);
    config.shutdown.patience = Duration::from_millis(1);
    let server = Server::builder(config).agent("reckoner", agent).build().await.unwrap();
    (Harness::around(server, dir), inner)
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Expression {
    expression: String,
}

#[tokio::test]
async fn a_hosted_agent_s_inner_steps_are_the_interaction_s() {
    let calls = Arc::default();
    let (server, _inner) = hosting(&calls, Duration::ZERO).await;
    let answer = server.client.create(ask("reckoner", "what is 6 * 7?")).await.unwrap();
    assert_eq!(answer.status, Status::Completed, "{:?}", answer.errors);
    let kinds: Vec<&str> = answer.steps.iter().map(Step::kind).collect();
    assert_eq!(kinds, ["thought", "function_call", "function_result", "model_output"]);
    assert!(answer.output_text().contains("42"), "{}", answer.output_text());
    assert!(answer.pending_calls().is_empty());
    assert!(answer.usage.unwrap().total_output_tokens.is_some());
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    let follow = ask("reckoner", "hello").previous_interaction_id(&answer.id).background(true);
    let events: Vec<StreamEvent> =
        server.client.create(follow).stream().await.unwrap().map(Result::unwrap).collect().await;
    assert!(matches!(events.last(), Some(StreamEvent::Completed(_))));
    let listed: Vec<Agent> = server.client.agents().list().items().try_collect().await.unwrap();
    assert_eq!(listed[0].id.as_str(), "reckoner");
    let refused = ask("reckoner", "hi").tools(vec![Function::new("f").into()]);
    let refused = server.client.create(refused).await.unwrap_err();
    assert!(refused.to_string().contains("its own"), "{refused}");
}

#[tokio::test]
async fn a_hosted_agent_s_call_is_on_record_before_its_tool_begins() {
    let inner = Harness::new().await;
    let dir = directory();
    let (folder, seen) = (dir.clone(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&seen);
    let add = tool_fn("calculator", "Works out an expression.", move |_: Expression| {
        // Looked at before the tool waits for anything.
        let files = std::fs::read_dir(&folder).unwrap();
        let recorded = files
            .filter_map(|file| std::fs::read(file.ok()?.path()).ok())
            .any(|bytes| bytes.windows(13).any(|window| window == b"function_call"));
        count.fetch_add(if recorded { 1 } else { 100 }, Ordering::SeqCst);
        async { Ok::<_, String>("42") }
    });
    let agent = RustAgent::builder(inner.client.clone(), "scripted").tool(add).store(false).build();
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).agent("reckoner", agent).build().await.unwrap();
    let server = Harness::around(server, dir);
    let answer = server.client.create(ask("reckoner", "what is 6 * 7?")).await.unwrap();
    assert_eq!(answer.status, Status::Completed, "{:?}", answer.errors);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cancelling_a_hosted_agent_stops_its_tools() {
    let calls = Arc::default();
    let (server, _inner) = hosting(&calls, Duration::from_secs(60)).await;
    let started = server.client.create(ask("reckoner", "6 * 7").background(true)).await.unwrap();
    while calls.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cancelled = server.client.cancel(&started.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(cancelled.steps.iter().any(|step| step.kind() == "function_call"));
}

#[tokio::test]
async fn a_hosted_agent_whose_process_dies_among_its_tools_fails_and_says_so() {
    let calls = Arc::default();
    let (server, inner) = hosting(&calls, Duration::from_secs(60)).await;
    let started = server.client.create(ask("reckoner", "6 * 7").background(true)).await.unwrap();
    while calls.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.server.close().await;
    let agent = RustAgent::builder(inner.client.clone(), "scripted").store(false).build();
    let mut config = Config::default();
    config.data_dir = Some(server.directory());
    let next = Server::builder(config).agent("reckoner", agent).build().await.unwrap();
    let next = Harness::around(next, server.directory());
    let ended = next.wait(&started.id).await;
    assert_eq!(ended.status, Status::Failed);
    let error = ended.errors.unwrap().remove(0);
    assert_eq!(error.code.as_deref(), Some("agent_interrupted"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "nothing is done twice");
}

#[tokio::test]
async fn what_a_hosted_agent_leaves_to_people_is_asked_of_the_caller() {
    let brain = Harness::new().await;
    let human = Function::new("ask_human")
        .description("Asks the human.")
        .parameters(json!({"type": "object", "properties": {}}));
    let agent = RustAgent::builder(brain.client.clone(), "scripted")
        .tool(interactions_agent::ExternalTool::new(human))
        .build();
    let mut config = Config::default();
    config.data_dir = Some(directory());
    let server = Server::builder(config).agent("clerk", agent).build().await.unwrap();
    let transport = interactions_transport::SharedTransport::new(
        interactions_transport::TowerTransport::new(server.router()),
    );
    let client = interactions_client::Client::builder()
        .base_url("http://in-process")
        .transport(transport)
        .build()
        .unwrap();
    let asked = client.create(ask("clerk", "Please ask the human.")).await.unwrap();
    assert_eq!(asked.status, Status::RequiresAction, "{asked:?}");
    let call = asked.pending_calls()[0].clone();
    assert_eq!(call.name, "ask_human");
    let answer = CreateInteraction::new("m", vec![Step::from(call.result("forty-two"))])
        .target(Target::agent("clerk"))
        .previous_interaction_id(&asked.id);
    let done = client.create(answer).await.unwrap();
    assert_eq!(done.status, Status::Completed, "{done:?}");
    assert!(done.output_text().contains("forty-two"), "{}", done.output_text());
    server.close().await;
}

/// The server goes away while a tool of the agent runs, and comes back on the same database.
#[tokio::test]
async fn an_agent_outlives_a_restart_of_its_server() {
    let dir = directory();
    let start = |listen: String| {
        let mut config = Config::default();
        config.data_dir = Some(dir.clone());
        config.listen = listen;
        async move {
            let server = Server::builder(config).build().await.unwrap();
            let listener = server.bind().await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let serving = tokio::spawn(async move {
                let stopped = async { drop(stopped.await) };
                server.serve(listener, stopped).await.unwrap();
            });
            (address, stop, serving)
        }
    };
    let (address, stop, serving) = start("127.0.0.1:0".to_owned()).await;
    let client = interactions_client::Client::builder()
        .base_url(format!("http://{address}"))
        .build()
        .unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let running = Arc::new(tokio::sync::Mutex::new(Some((address, stop, serving))));
    let restart = {
        let (running, dir) = (Arc::clone(&running), dir.clone());
        tool_fn("restart", "Restarts the server.", move |_: Nothing| {
            counted.fetch_add(1, Ordering::SeqCst);
            let (running, dir) = (Arc::clone(&running), dir.clone());
            async move {
                let (address, stop, serving) = running.lock().await.take().unwrap();
                drop(stop);
                serving.await.unwrap();
                // Gone for a while, so that the agent has to try again.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    let mut config = Config::default();
                    config.data_dir = Some(dir);
                    config.listen = address;
                    let server = Server::builder(config).build().await.unwrap();
                    let listener = server.bind().await.unwrap();
                    server.serve(listener, std::future::pending()).await.unwrap();
                });
                Ok::<_, String>("restarted")
            }
        })
    };
    let agent = RustAgent::builder(client, "scripted").tool(restart).build();
    let outcome = agent.run("Please restart the server.").await.unwrap();
    assert!(outcome.output_text().contains("restarted"), "{}", outcome.output_text());
    assert_eq!((calls.load(Ordering::SeqCst), outcome.turns), (1, 2));
}
