//! A server before a server: work in the upstream's background, and its agents.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use harness::{Harness, directory};
use interactions_server::model::Upstream;
use interactions_server::{AgentConfig, Config, Server};
use interactions_types::{CreateInteraction, InteractionId, Status, StreamEvent, Target};

/// A server on this directory that passes everything on.
async fn front(dir: PathBuf, upstream: &Harness) -> Harness {
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    config.background.lease = Duration::from_millis(400);
    config.shutdown.patience = Duration::from_millis(1);
    let model = Upstream::new(upstream.client.clone());
    let server = Server::builder(config).model("*", model).build().await.unwrap();
    Harness::around(server, dir)
}

async fn with_agent() -> Harness {
    let mut config = Config::default();
    config.agents = vec![AgentConfig::new("researcher", "scripted")];
    Harness::with(config).await
}

async fn ids(server: &Harness) -> Vec<InteractionId> {
    server.client.list().await.unwrap().ids()
}

async fn gone(upstream: &Harness) -> bool {
    for _ in 0..100 {
        if ids(upstream).await.is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn work_in_the_upstream_s_background_is_taken_up_where_it_stands() {
    let upstream = with_agent().await;
    let dir = directory();
    let first = front(dir.clone(), &upstream).await;
    let target = Target::agent("researcher");
    let request = CreateInteraction::new("m", "count to 40").target(target).background(true);
    let mut events = first.client.create(request).stream().await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event.unwrap());
        if seen.len() == 14 {
            break;
        }
    }
    let id = events.id().unwrap().clone();
    drop(events);
    // The process goes; the upstream does not notice.
    first.server.close().await;
    assert_eq!(ids(&upstream).await.len(), 1, "it works in the upstream's background");

    let second = front(dir, &upstream).await;
    let ended = second.wait(&id).await;
    assert_eq!(ended.status, Status::Completed);
    let numbers: Vec<String> = (1..=40).map(|number| number.to_string()).collect();
    assert_eq!(ended.output_text(), numbers.join(" "));
    assert_eq!(ended.steps.len(), 2, "one input, one answer, nothing twice");
    let log: Vec<StreamEvent> =
        second.client.get(&id).stream().await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(log[..seen.len()], seen[..], "what was seen stays as it was");
    let starts = log.iter().filter(|event| matches!(event, StreamEvent::StepStart(_)));
    assert_eq!(starts.count(), 1, "the open step went on");
    assert!(gone(&upstream).await, "the upstream keeps nothing that is over");
}

#[tokio::test]
async fn work_that_has_not_said_a_word_is_taken_up_and_not_begun_again() {
    let upstream = with_agent().await;
    let dir = directory();
    let first = front(dir.clone(), &upstream).await;
    let target = Target::agent("researcher");
    let request = CreateInteraction::new("m", "wait 2").target(target).background(true);
    let begun = first.client.create(request).await.unwrap();
    while ids(&upstream).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let at_work = ids(&upstream).await;
    first.server.close().await;
    let second = front(dir, &upstream).await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(ids(&upstream).await, at_work, "nothing was begun a second time");
    let ended = second.wait(&begun.id).await;
    assert_eq!(ended.output_text(), "Waited 2 s.");
    assert_eq!(ended.status, Status::Completed);
    assert!(gone(&upstream).await);
}

#[tokio::test]
async fn cancelling_reaches_the_upstream() {
    let upstream = with_agent().await;
    let front = front(directory(), &upstream).await;
    let request = CreateInteraction::new("m", "wait 60").target(Target::agent("researcher"));
    let started = front.client.create(request.background(true)).await.unwrap();
    for _ in 0..100 {
        if !ids(&upstream).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Where it stands is known with its first event.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cancelled = front.client.cancel(&started.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(gone(&upstream).await, "it does not go on working for nobody");
}

#[tokio::test]
async fn agents_of_the_upstream_are_agents_here() {
    let upstream = with_agent().await;
    let front = front(directory(), &upstream).await;
    let request = CreateInteraction::new("m", "hello").target(Target::agent("researcher"));
    let answer = front.client.create(request).await.unwrap();
    assert_eq!(answer.status, Status::Completed);
    assert_eq!(answer.agent.as_ref().map(|agent| agent.as_str()), Some("researcher"));
    assert_eq!(answer.output_text(), "You said: hello");
    let request = CreateInteraction::new("m", "hello").target(Target::agent("nobody"));
    let failed = front.client.create(request).await.unwrap();
    assert_eq!(failed.status, Status::Failed);
    assert!(failed.errors.unwrap()[0].message.as_deref().unwrap().contains("nobody"));
}
