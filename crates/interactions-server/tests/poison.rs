//! Rows and answers that nobody can read do not get in the way of others.
#![expect(clippy::unwrap_used, reason = "a failed set-up must end the test")]

mod harness;

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use harness::{Harness, directory};
use interactions_server::model::{Finish, Model, ModelError, ModelEvent, ModelStream, Turn};
use interactions_server::{Config, Server};
use interactions_types::{
    ArgumentsDelta, CreateInteraction, Function, FunctionCall, Interaction, JsonObject, Status,
};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[tokio::test]
async fn a_damaged_row_can_be_deleted_and_does_not_stop_lists_or_takeovers() {
    let dir = directory();
    let mut config = Config::default();
    config.background.lease = Duration::from_millis(300);
    let server = Harness::at(dir.clone(), config).await;
    let database = SqlitePool::connect_with(
        SqliteConnectOptions::new()
            .filename(dir.join("interactions.db"))
            .busy_timeout(Duration::from_secs(10)),
    )
    .await
    .unwrap();
    let mut ids = Vec::new();
    for text in ["damaged", "also damaged", "orphaned", "whole"] {
        ids.push(server.client.create(CreateInteraction::new("scripted", text)).await.unwrap().id);
    }
    for id in &ids[..2] {
        let damage = "update interactions set request = '{', input = '[' where id = ?";
        sqlx::query(damage).bind(id.as_str()).execute(&database).await.unwrap();
    }
    // The process that ran these has gone.
    let orphan = "update interactions set status = 'in_progress', owner = 'gone', lease_until = 0, last_seq = 0 where id = ?";
    for id in &ids[1..3] {
        let mut tx = database.begin().await.unwrap();
        sqlx::query("delete from chunks where interaction = ?")
            .bind(id.as_str())
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(orphan).bind(id.as_str()).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    assert_eq!(server.wait(&ids[2]).await.status, Status::Completed, "others are taken over");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if server.client.list().status(Status::Failed).await.unwrap().ids() == [ids[1].clone()] {
            break;
        }
    }
    let (status, list) = server.raw("GET", "/v1/interactions", "").await;
    assert_eq!(status, 200, "{list}");
    let lines = list["interaction_metadatas"].as_array().unwrap();
    let statuses: Vec<_> =
        lines.iter().rev().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "failed", "completed", "completed"]);
    assert_eq!(lines[0]["model"], "scripted");
    for id in &ids {
        server.client.delete(id).await.unwrap();
    }
    assert!(server.client.list().await.unwrap().ids().is_empty());
}

/// A model that generates just this.
#[derive(Debug)]
struct Plays(Vec<ModelEvent>);

#[async_trait]
impl Model for Plays {
    async fn generate(&self, _: Turn) -> Result<ModelStream, ModelError> {
        Ok(futures::stream::iter(self.0.clone().into_iter().map(Ok)).boxed())
    }

    fn label(&self) -> String {
        "plays".to_owned()
    }
}

/// A call of `f` with these arguments at once and this argument text in a delta.
fn call(arguments: JsonObject, text: &str, finish: Finish) -> Vec<ModelEvent> {
    vec![
        ModelEvent::Start(FunctionCall::new("c", "f", arguments).into()),
        ModelEvent::Delta(ArgumentsDelta::new().arguments(text).into()),
        ModelEvent::Stop,
        ModelEvent::Finish(finish),
    ]
}

async fn playing(events: Vec<ModelEvent>) -> (Harness, Interaction) {
    let dir = directory();
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).model("plays", Plays(events)).build().await.unwrap();
    let server = Harness::around(server, dir);
    let request = CreateInteraction::new("plays", "go").tools(vec![Function::new("f").into()]);
    let ended = server.client.create(request).await.unwrap();
    (server, ended)
}

#[tokio::test]
async fn arguments_that_nobody_could_read_back_fail_the_run_and_can_be_read_and_deleted() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    for (levels, at_once) in [(125, false), (125, true), (300, true), (50, false), (50, true)] {
        let arguments = json!({"a": nested(levels)});
        let events = if at_once {
            call(arguments.as_object().unwrap().clone(), "", Finish::Stop)
        } else {
            call(JsonObject::new(), &arguments.to_string(), Finish::Stop)
        };
        let (server, ended) = playing(events).await;
        let expected = if levels < 60 { Status::RequiresAction } else { Status::Failed };
        assert_eq!(ended.status, expected, "{levels} {ended:?}");
        assert_eq!(server.client.get(&ended.id).await.unwrap().status, expected);
        assert_eq!(server.client.list().await.unwrap().ids().len(), 1);
        server.client.delete(&ended.id).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_at_the_limit_is_incomplete_whatever_it_calls() {
    let none = JsonObject::new();
    let (_, whole) = playing(call(none.clone(), "{}", Finish::MaxTokens)).await;
    assert_eq!(whole.status, Status::Incomplete);

    let (server, cut) = playing(call(none.clone(), "{\"a\": \"hel", Finish::MaxTokens)).await;
    assert_eq!(cut.status, Status::Incomplete, "{cut:?}");
    assert!(cut.pending_calls().is_empty(), "half a call waits for nobody: {cut:?}");
    let next = CreateInteraction::new("scripted", "go on").previous_interaction_id(&cut.id);
    assert_eq!(server.client.create(next).await.unwrap().status, Status::Completed);

    let (_, broken) = playing(call(none, "{\"a\": \"hel", Finish::Stop)).await;
    assert_eq!(broken.status, Status::Failed);
    assert_eq!(broken.errors.unwrap()[0].code.as_deref(), Some("malformed_function_call"));
}
