//! Runs outlive what happens to their processes and their store.
#![expect(clippy::unwrap_used, reason = "a failed set-up must end the test")]

mod harness;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream};
use harness::hooked::Hooked;
use harness::{Harness, directory};
use interactions_server::model::{Finish, Model, ModelError, ModelEvent, ModelStream, Turn};
use interactions_server::store::{
    Chunk, Lease, LoggedEvent, NewInteraction, SqliteStore, Store, StoreError, StoreErrorKind,
};
use interactions_server::{Config, Server};
use interactions_types::{
    CreateInteraction, Function, InteractionId, McpServer, ModelOutput, ResponseFormat, Status,
    Step, TextResponseFormat, Usage,
};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// Leases run out quickly, so that takeovers do not make tests slow.
fn hasty() -> Config {
    let mut config = Config::default();
    config.background.lease = Duration::from_millis(900);
    config
}

/// The database as another process sees it.
async fn database(dir: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(dir.join("interactions.db"))
        .busy_timeout(Duration::from_secs(10));
    SqlitePool::connect_with(options).await.unwrap()
}

#[tokio::test]
async fn a_stall_of_the_store_does_not_end_a_healthy_run() {
    let dir = directory();
    let server = Harness::at(dir.clone(), hasty()).await;
    let request = CreateInteraction::new("scripted", "count to 30").background(true);
    let started = server.client.create(request).await.unwrap();
    let other = database(&dir).await;
    for _ in 0..2 {
        let stall = other.begin_with("begin immediate").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        stall.rollback().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let ended = server.wait(&started.id).await;
    assert_eq!(ended.status, Status::Completed, "{:?}", ended.errors);
    assert!(ended.output_text().ends_with("29 30"), "{}", ended.output_text());
    let attempt: i64 = sqlx::query_scalar("select attempt from interactions where id = ?")
        .bind(started.id.as_str())
        .fetch_one(&other)
        .await
        .unwrap();
    assert_eq!(attempt, 1, "nobody else has begun it");
}

/// Leaves a run behind as a process does that was killed after these events.
async fn orphan(dir: &Path, request: CreateInteraction, events: &[Value]) -> InteractionId {
    let store = SqliteStore::open(&dir.join("interactions.db")).await.unwrap();
    let lease = Lease::new("v1_orphan".into(), "gone".to_owned(), 1);
    let (tenant, input) = ("default".to_owned(), vec![Step::user_text("go")]);
    let new = NewInteraction::new(lease.clone(), tenant, request, input, 1, Duration::ZERO);
    store.insert(&new, None, None).await.unwrap();
    let created = json!({"event_type": "interaction.created", "interaction": {"id": "v1_orphan", "status": "in_progress"}});
    let logged = std::iter::once(&created)
        .chain(events)
        .map(|event| LoggedEvent::new(event["event_type"].as_str().unwrap(), event.to_string()))
        .collect();
    store.append(&lease, &Chunk::new(1, logged), None).await.unwrap();
    store.close().await;
    lease.id
}

fn call_started(index: u32, id: &str) -> Value {
    json!({"event_type": "step.start", "index": index, "step": {"type": "function_call", "id": id, "name": "f", "arguments": {}}})
}

fn arguments(index: u32, text: &str) -> Value {
    json!({"event_type": "step.delta", "index": index, "delta": {"type": "arguments_delta", "arguments": text}})
}

fn stopped(index: u32) -> Value {
    json!({"event_type": "step.stop", "index": index})
}

#[tokio::test]
async fn a_finished_call_waits_for_the_caller_after_a_takeover() {
    let dir = directory();
    let request = CreateInteraction::new("scripted", "f").tools(vec![Function::new("f").into()]);
    // Its arguments are empty, and finished all the same.
    let log = [call_started(0, "c"), arguments(0, "{}"), stopped(0)];
    let id = orphan(&dir, request, &log).await;
    let server = Harness::at(dir, hasty()).await;
    let ended = server.wait(&id).await;
    assert_eq!(ended.status, Status::RequiresAction);
    assert_eq!(ended.pending_calls().len(), 1, "the model is not asked again: {:?}", ended.steps);
    let answer = CreateInteraction::new(
        "scripted",
        vec![Step::from(ended.pending_calls()[0].result("done"))],
    )
    .previous_interaction_id(&id);
    assert!(server.client.create(answer).await.unwrap().output_text().contains("done"));
}

#[tokio::test]
async fn a_call_that_was_broken_off_is_answered_and_the_model_goes_on() {
    let dir = directory();
    let request = CreateInteraction::new("scripted", "f").tools(vec![Function::new("f").into()]);
    let id = orphan(&dir, request, &[call_started(0, "c"), arguments(0, "{\"city\": \"Par")]).await;
    let server = Harness::at(dir, hasty()).await;
    let ended = server.wait(&id).await;
    assert_eq!(ended.status, Status::Completed, "{ended:?}");
    assert!(ended.pending_calls().is_empty());
    let Some(Step::FunctionResult(result)) = ended.steps.get(2) else { panic!("{ended:?}") };
    assert_eq!((result.call_id.as_str(), result.is_error), ("c", Some(true)));
    assert!(ended.output_text().contains("not carried out"), "the model has read it");
    let next = CreateInteraction::new("scripted", "thanks").previous_interaction_id(&id);
    server.client.create(next).await.unwrap();
}

#[tokio::test]
async fn a_finished_call_beside_a_broken_one_is_the_only_one_that_waits() {
    let dir = directory();
    let request = CreateInteraction::new("scripted", "f").tools(vec![Function::new("f").into()]);
    let log = [call_started(0, "whole"), stopped(0), call_started(1, "half"), arguments(1, "{")];
    let id = orphan(&dir, request, &log).await;
    let server = Harness::at(dir, hasty()).await;
    let ended = server.wait(&id).await;
    assert_eq!(ended.status, Status::RequiresAction);
    let pending: Vec<_> = ended.pending_calls().iter().map(|call| call.id.to_string()).collect();
    assert_eq!(pending, ["whole"]);
}

#[tokio::test]
async fn an_mcp_call_that_was_broken_off_is_not_carried_out() {
    let dir = directory();
    let request = CreateInteraction::new("scripted", "go")
        .tools(vec![McpServer::new().name("s").url("http://127.0.0.1:9/mcp").into()]);
    let started = json!({"event_type": "step.start", "index": 0, "step": {"type": "mcp_server_tool_call", "id": "c", "name": "f", "server_name": "s", "arguments": {}}});
    let id = orphan(&dir, request, &[started]).await;
    let server = Harness::at(dir, hasty()).await;
    let ended = server.wait(&id).await;
    let Some(Step::McpServerToolResult(result)) = ended.steps.get(2) else { panic!("{ended:?}") };
    assert!(result.result.to_text().contains("it was not carried out"), "{result:?}");
}

#[tokio::test]
async fn an_answer_is_held_to_its_schema_after_a_takeover_too() {
    // The scripted model does not follow references, so it cannot fit the second one.
    for (property, fits) in
        [(json!({"const": "seven"}), true), (json!({"$ref": "#/$defs/it"}), false)]
    {
        let dir = directory();
        let schema = json!({"type": "object", "required": ["n"], "properties": {"n": property},
            "$defs": {"it": {"type": "integer"}}});
        let format = ResponseFormat::from(TextResponseFormat::json(schema));
        let request = CreateInteraction::new("scripted", "go").response_format(format);
        let thought = json!({"event_type": "step.start", "index": 0, "step": {"type": "thought"}});
        let id = orphan(&dir, request, &[thought]).await;
        let server = Harness::at(dir, hasty()).await;
        let ended = server.wait(&id).await;
        if fits {
            assert_eq!((ended.status.clone(), ended.errors.clone()), (Status::Completed, None));
            assert_eq!(ended.output_text(), r#"{"n":"seven"}"#);
        } else {
            assert_eq!(ended.status, Status::Failed);
            assert_eq!(ended.errors.unwrap()[0].code.as_deref(), Some("invalid_output"));
        }
    }
}

/// A server whose store fails the first calls of `method`.
async fn with_faults(dir: &Path, method: &'static str, faults: u32) -> Harness {
    let left = AtomicU32::new(faults);
    let store = Hooked::open(dir, move |called| {
        let fails = called == method
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        let answer = if fails {
            Err(StoreError::new(StoreErrorKind::Unavailable, "the disk is away"))
        } else {
            Ok(())
        };
        std::future::ready(answer).boxed()
    })
    .await;
    let mut config = hasty();
    config.data_dir = Some(dir.to_owned());
    let server = Server::builder(config).store(store).build().await.unwrap();
    Harness::around(server, dir.to_owned())
}

#[tokio::test]
async fn a_passing_fault_of_the_store_does_not_bury_a_run() {
    let dir = directory();
    let log = [stopped(7)];
    let id = orphan(&dir, CreateInteraction::new("scripted", "go"), &log).await;
    // More often than a run may crash.
    let server = with_faults(&dir, "events_after", 7).await;
    let mut status = server.client.get(&id).await.map(|interaction| interaction.status);
    for _ in 0..300 {
        if matches!(&status, Ok(status) if !status.is_running()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        status = server.client.get(&id).await.map(|interaction| interaction.status);
    }
    assert_eq!(status.unwrap(), Status::Completed);
}

#[tokio::test]
async fn a_run_that_is_given_up_ends_its_log_as_it_should() {
    let dir = directory();
    let id = orphan(&dir, CreateInteraction::new("scripted", "go"), &[call_started(0, "c")]).await;
    let database = database(&dir).await;
    sqlx::query("update interactions set crashes = 20, lease_until = 0")
        .execute(&database)
        .await
        .unwrap();
    let server = with_faults(&dir, "events_after", 1).await;
    let mut ended = None;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ended = server.client.get(&id).await.ok().filter(|ended| !ended.status.is_running());
        if ended.is_some() {
            break;
        }
    }
    let ended = ended.unwrap();
    assert_eq!(ended.status, Status::Failed);
    assert!(ended.errors.unwrap()[0].message.as_deref().unwrap().contains("20 times"));
    let (_, text) = server.raw("GET", &format!("/v1/interactions/{id}?stream=true"), "").await;
    let text = text.as_str().unwrap();
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let expected = [
        "interaction.created",
        "step.start",
        "step.stop",
        "error",
        "interaction.completed",
        "done",
    ];
    assert_eq!(kinds, expected, "{text}");
    let last = text.lines().rev().filter_map(|line| line.strip_prefix("data: ")).nth(1).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    let last = &last["interaction"];
    assert_eq!((&last["model"], &last["object"]), (&json!("scripted"), &json!("interaction")));
    assert_eq!(last["created"], "1970-01-01T00:00:00Z");
}

/// A model with a bug.
#[derive(Debug)]
struct Buggy;

#[async_trait]
impl Model for Buggy {
    async fn generate(&self, _: Turn) -> Result<ModelStream, ModelError> {
        // Late enough to be stored.
        tokio::time::sleep(Duration::from_millis(20)).await;
        panic!("a bug");
    }

    fn label(&self) -> String {
        "buggy".to_owned()
    }
}

#[tokio::test]
async fn a_run_that_panics_ends_as_failed_and_frees_its_place() {
    let dir = directory();
    let mut config = hasty();
    config.data_dir = Some(dir.clone());
    config.background.lease = Duration::from_millis(200);
    config.limits.concurrent_runs = 1;
    let server = Server::builder(config).model("buggy", Buggy).build().await.unwrap();
    let server = Harness::around(server, dir);
    let unstored = CreateInteraction::new("buggy", "go").store(false);
    assert_eq!(server.client.create(unstored).await.unwrap_err().status(), Some(503));
    let background = CreateInteraction::new("buggy", "go").background(true);
    let started = server.client.create(background).await.unwrap();
    let ended = server.wait(&started.id).await;
    assert_eq!(ended.status, Status::Failed);
    server.client.create(CreateInteraction::new("scripted", "hi")).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_early_does_not_leave_a_dead_run_behind() {
    let dir = directory();
    let store = Hooked::open(&dir, |called| {
        async move {
            if called == "insert" {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        }
        .boxed()
    })
    .await;
    // Nobody takes over: the run has to begin in spite of its client.
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).store(store).build().await.unwrap();
    let server = Harness::around(server, dir);
    let create = server.client.create(CreateInteraction::new("scripted", "count to 3"));
    let left = tokio::time::timeout(Duration::from_millis(100), create.into_future()).await;
    assert!(left.is_err());
    let id = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Some(id) = server.client.list().await.unwrap().ids().pop() {
            break id;
        }
    };
    assert_eq!(server.wait(&id).await.output_text(), "1 2 3");
}

/// A model that breaks down in the middle of its first answer.
#[derive(Debug, Default)]
struct Unlucky(AtomicU32);

#[async_trait]
impl Model for Unlucky {
    async fn generate(&self, _: Turn) -> Result<ModelStream, ModelError> {
        let usage = |tokens| ModelEvent::Usage(Usage::new().total_tokens(tokens));
        let start = ModelEvent::Start(ModelOutput::new().into());
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            let events = [start, ModelEvent::Stop, usage(1), ModelEvent::Finish(Finish::Stop)];
            return Ok(stream::iter(events.map(Ok)).boxed());
        }
        let broken = stream::once(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            panic!("a bug");
        });
        // Running totals, of which the last one counts.
        Ok(stream::iter([usage(5), usage(10), start].map(Ok)).chain(broken).boxed())
    }

    fn label(&self) -> String {
        "unlucky".to_owned()
    }
}

#[tokio::test]
async fn what_earlier_attempts_have_cost_and_met_with_is_counted() {
    let dir = directory();
    let mut config = hasty();
    config.data_dir = Some(dir.clone());
    config.background.lease = Duration::from_millis(300);
    let server =
        Server::builder(config).model("unlucky", Unlucky::default()).build().await.unwrap();
    let server = Harness::around(server, dir);
    let away = McpServer::new().name("away").url("http://127.0.0.1:9/mcp");
    let request = CreateInteraction::new("unlucky", "go").tools(vec![away.into()]);
    let started = server.client.create(request.background(true)).await.unwrap();
    let ended = server.wait(&started.id).await;
    assert_eq!(ended.status, Status::Completed);
    assert_eq!(ended.usage.unwrap().total_tokens, Some(11));
    assert_eq!(ended.errors.unwrap().len(), 1, "the fault is told once");
}
