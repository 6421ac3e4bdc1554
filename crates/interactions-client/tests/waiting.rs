//! Waiting for and watching work that runs on its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use interactions_client::{Client, ErrorKind, Update};
use interactions_testing::{Capture, Reply, capture};
use interactions_types::{Status, StreamEvent};
use tokio::time::Instant;

fn client(service: &Capture) -> Client {
    Client::builder().transport(service.transport()).build().expect("a client")
}

fn state(status: &str) -> Reply {
    Reply::json(format!(r#"{{"id":"v1_x","status":"{status}"}}"#))
}

fn gone() -> Reply {
    Reply::error(404, "not_found", "no such interaction")
}

#[tokio::test(start_paused = true)]
async fn waiting_asks_ever_more_slowly_until_the_end() {
    let mut states = vec![state("queued")];
    states.extend((0..8).map(|_| state("in_progress")));
    states.push(state("requires_action"));
    let service = capture(states);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let begin = Instant::now();
    let wait = client(&service).wait("v1_x").on_progress(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(wait.await.unwrap().status, Status::RequiresAction);
    assert_eq!(seen.load(Ordering::Relaxed), 10);
    let waited = begin.elapsed().as_secs_f64();
    // 1, 1.5, 2.25, 3.375, 5.06, 7.59, then ten seconds each.
    assert!((50.0..=51.0).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn waiting_bears_a_few_failures_but_not_a_missing_interaction() {
    let down = || Reply::error(503, "unavailable", "down");
    let mut replies: Vec<_> = (0..5).map(|_| down()).collect();
    replies.extend([down(), state("in_progress"), state("completed")]);
    let service = capture(replies);
    let wait = client(&service).wait("v1_x").with_retry(interactions_client::Backoff::never());
    let error = wait.clone().tolerate(5).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(wait.await.unwrap().status, Status::Completed);

    let service = capture([state("in_progress"), gone(), state("completed")]);
    let error = client(&service).wait("v1_x").await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert_eq!(error.partial().unwrap().status, Status::InProgress);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_its_limit_and_may_cancel() {
    let running = || (0..9).map(|_| state("in_progress"));
    let service = capture(running());
    let wait = client(&service).wait("v1_x").with_timeout(Duration::from_secs(6));
    let error = wait.await.unwrap_err();
    assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Deadline, true));
    assert_eq!(error.partial().unwrap().id.as_str(), "v1_x");
    let cancels = |service: &Capture| {
        service.requests().iter().filter(|request| request.uri.path().ends_with("/cancel")).count()
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cancels(&service), 0, "without being told to, it cancels nothing");

    let service = capture(running());
    let wait = client(&service).wait("v1_x").cancel_on_drop();
    let waiting = tokio::spawn(async move { wait.await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    waiting.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cancels(&service), 1);

    let service = capture([state("completed")]);
    client(&service).wait("v1_x").cancel_on_drop().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cancels(&service), 0, "what has ended is not cancelled");
}

const EVENTS: &str = concat!(
    "data: {\"event_type\":\"interaction.created\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"in_progress\"}}\n\n",
    "data: {\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\"}}\n\n",
);

#[tokio::test(start_paused = true)]
async fn watching_streams_where_it_can() {
    let service = capture([Reply::sse(EVENTS), state("completed")]);
    let updates: Vec<_> = client(&service).watch("v1_x").stream().try_collect().await.unwrap();
    assert!(matches!(updates[0], Update::Event(StreamEvent::Created(_))));
    assert!(matches!(updates[1], Update::Event(StreamEvent::Completed(_))));
    assert!(updates[..2].iter().all(|update| update.ended().is_none()), "an event is not all");
    assert_eq!(updates[2].ended().unwrap().status, Status::Completed);
    assert_eq!((updates.len(), service.requests().len()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn watching_polls_where_it_must() {
    let refused = || Reply::error(400, "invalid_request", "this agent does not stream");
    let service =
        capture([refused(), state("in_progress"), state("in_progress"), state("requires_action")]);
    let updates: Vec<_> = client(&service).watch("v1_x").stream().try_collect().await.unwrap();
    let states: Vec<_> = updates
        .iter()
        .map(|update| match update {
            Update::State(state) => state.status.as_str().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, ["in_progress", "requires_action"], "only what changed");

    let service = capture([gone(), gone()]);
    let mut updates = client(&service).watch("v1_x").stream();
    assert_eq!(updates.next().await.unwrap().unwrap_err().status(), Some(404));
    assert!(updates.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn watching_goes_on_by_polling_when_the_stream_is_lost() {
    let first = EVENTS.find("\n\n").unwrap() + 2;
    let lost = Reply::sse(&EVENTS[..first]);
    let service = capture([lost, state("in_progress"), state("completed")]);
    let updates: Vec<_> = client(&service).watch("v1_x").stream().try_collect().await.unwrap();
    assert!(matches!(updates[0], Update::Event(_)));
    assert_eq!(updates.last().unwrap().ended().unwrap().status, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn watching_an_interaction_that_fails_ends_with_its_state() {
    let first = &EVENTS[..EVENTS.find("\n\n").unwrap() + 2];
    let error = "data: {\"event_type\":\"error\",\"error\":{\"message\":\"overheated\"}}\n\n";
    let failing = || Reply::sse(format!("{first}{error}"));
    let service = capture([failing(), state("failed")]);
    let updates: Vec<_> = client(&service).watch("v1_x").stream().try_collect().await.unwrap();
    assert_eq!(updates.last().unwrap().ended().unwrap().status, Status::Failed);

    // An error that did not end it is told as what it is.
    let service = capture([failing(), state("in_progress")]);
    let mut updates = client(&service).watch("v1_x").stream();
    assert!(matches!(updates.next().await.unwrap().unwrap(), Update::Event(_)));
    let error = updates.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("overheated"), "{error}");
    assert!(updates.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn limits_beyond_the_clock_never_come() {
    let service = capture([state("in_progress"), state("completed")]);
    let wait = client(&service).wait("v1_x").with_timeout(Duration::MAX);
    assert_eq!(wait.await.unwrap().status, Status::Completed);
}
