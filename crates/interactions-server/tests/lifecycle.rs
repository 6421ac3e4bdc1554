//! Running, cancelling, deleting, surviving.

mod harness;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use harness::hooked::Hooked;
use harness::{Harness, directory};
use interactions_client::Client;
use interactions_server::{Config, KeyConfig, Server};
use interactions_transport::{Body, ReqwestTransport, Transport};
use interactions_types::{CreateInteraction, Status, StreamEvent};
use serde_json::json;

#[tokio::test]
async fn cancelling_keeps_what_was_made_and_can_be_repeated() {
    let server = Harness::new().await;
    let request = CreateInteraction::new("scripted", "count to 1000").background(true);
    let started = server.client.create(request).await.unwrap();
    let mut events = server.client.get(&started.id).stream().await.unwrap();
    while !matches!(events.next().await.unwrap().unwrap(), StreamEvent::StepDelta(_)) {}

    let running = server.client.get(&started.id).await.unwrap();
    assert_eq!(running.status, Status::InProgress);
    assert!(running.output_text().starts_with('1'), "what it has made so far can be seen");
    let chained = CreateInteraction::new("scripted", "x").previous_interaction_id(&started.id);
    assert_eq!(
        server.client.create(chained).await.unwrap_err().status(),
        Some(400),
        "409 would be retried"
    );

    let cancelled = server.client.cancel(&started.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(cancelled.output_text().starts_with("1 "));
    assert_eq!(server.client.cancel(&started.id).await.unwrap().status, Status::Cancelled);
    let rest: Vec<_> = events.map(Result::unwrap).collect().await;
    let [.., update, StreamEvent::Completed(last)] = &rest[..] else { panic!("{rest:?}") };
    assert!(
        matches!(update, StreamEvent::StatusUpdate(update) if update.status == Status::Cancelled)
    );
    assert_eq!(last.interaction.status, Status::Cancelled);
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled() {
    let server = Harness::new().await;
    let done = server.client.create(CreateInteraction::new("scripted", "hi")).await.unwrap();
    let refusal = server.client.cancel(&done.id).await.unwrap_err();
    assert_eq!((refusal.status(), refusal.code()), (Some(400), Some("failed_precondition")));
    assert_eq!(server.client.cancel("v1_nobody").await.unwrap_err().status(), Some(404));
    let (status, _) = server.raw("POST", "/v1/interactions/v1_nobody:cancel", "").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn deleting_a_running_interaction_cancels_it_first() {
    let server = Harness::new().await;
    let request = CreateInteraction::new("scripted", "count to 1000").background(true);
    let started = server.client.create(request).await.unwrap();
    let follower = server.client.get(&started.id).stream().await.unwrap();
    server.client.delete(&started.id).await.unwrap();
    assert_eq!(server.client.get(&started.id).await.unwrap_err().status(), Some(404));
    // The follower may see the end or be cut off, but it does not hang.
    let _: Vec<_> = tokio::time::timeout(Duration::from_secs(5), follower.collect()).await.unwrap();
}

#[tokio::test]
async fn the_token_limit_ends_as_incomplete_and_can_be_continued() {
    let server = Harness::new().await;
    let (status, cut) = server
        .post(json!({"model": "scripted", "input": "one two three four", "generation_config": {"max_output_tokens": 3}}))
        .await;
    assert_eq!((status, &cut["status"]), (200, &json!("incomplete")), "{cut}");
    let next = CreateInteraction::new("scripted", "go on")
        .previous_interaction_id(cut["id"].as_str().unwrap());
    assert_eq!(server.client.create(next).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_run_moves_to_the_next_process_and_its_log_is_not_rewritten() {
    let dir = directory();
    let mut config = Config::default();
    config.background.lease = Duration::from_millis(300);
    let first = Harness::at(dir.clone(), config.clone()).await;
    let request = CreateInteraction::new("scripted", "count to 30").background(true);
    let started = first.client.create(request).await.unwrap();
    let mut events = first.client.get(&started.id).stream().await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 8 {
        seen.push(events.next().await.unwrap().unwrap());
    }
    let last = events.last_event_id().unwrap().clone();
    // Dropping the runtime's tasks is not possible here, so the run is taken over from a live process
    // whose heartbeat is fenced: the strictest case.
    let second = Harness::at(dir.clone(), config).await;
    first.server.close().await;
    let rest: Vec<StreamEvent> = tokio::time::timeout(
        Duration::from_secs(20),
        second
            .client
            .get(&started.id)
            .stream()
            .last_event_id(last)
            .await
            .unwrap()
            .map(Result::unwrap)
            .collect(),
    )
    .await
    .unwrap();
    assert!(matches!(rest.last(), Some(StreamEvent::Completed(_))), "{rest:?}");
    let whole: Vec<StreamEvent> =
        second.client.get(&started.id).stream().await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(whole[..seen.len()], seen);
    let ended = second.wait(&started.id).await;
    assert_eq!(ended.status, Status::Completed);
    assert!(ended.output_text().ends_with("29 30"), "{}", ended.output_text());
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let mut config = Config::default();
    config.auth.keys = vec![KeyConfig::new("alpha", "a"), KeyConfig::new("beta", "b")];
    let server = Harness::with(config).await;
    let client = |key: &str| {
        Client::builder()
            .base_url("http://x")
            .api_key(key)
            .transport(server.transport.clone())
            .build()
            .unwrap()
    };
    let (alpha, beta) = (client("alpha"), client("beta"));
    let mine = alpha.create(CreateInteraction::new("scripted", "mine")).await.unwrap();
    for refusal in [
        beta.get(&mine.id).await.unwrap_err(),
        beta.cancel(&mine.id).await.unwrap_err(),
        beta.delete(&mine.id).await.unwrap_err(),
        beta.create(CreateInteraction::new("scripted", "x").previous_interaction_id(&mine.id))
            .await
            .unwrap_err(),
    ] {
        assert_eq!((refusal.status(), refusal.code()), (Some(404), Some("not_found")), "{refusal}");
    }
    assert!(beta.list().await.unwrap().ids().is_empty());
    assert_eq!(alpha.list().await.unwrap().ids(), std::slice::from_ref(&mine.id));
    for wrong in [client("gamma"), server.client.clone()] {
        let refusal = wrong.get(&mine.id).await.unwrap_err();
        assert_eq!((refusal.status(), refusal.code()), (Some(401), Some("authentication")));
    }
    let (status, _) =
        server.raw("GET", &format!("/v1/interactions/{}?key=alpha", mine.id), "").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn too_many_runs_are_told_to_wait() {
    let mut config = Config::default();
    config.limits.concurrent_runs = 2;
    let server = Harness::with(config).await;
    let request = CreateInteraction::new("scripted", "count to 500").background(true);
    let first = server.client.create(request.clone()).await.unwrap();
    server.client.create(request.clone()).await.unwrap();
    let refusal = server.client.create(request.clone()).await.unwrap_err();
    assert_eq!(refusal.status(), Some(429));
    assert!(refusal.retry_after().is_some());
    server.client.cancel(&first.id).await.unwrap();
    // The place is free a moment after the interaction has ended.
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.client.create(request).await.unwrap();
}

#[tokio::test]
async fn lists_in_pages() {
    let server = Harness::new().await;
    for number in 0..5 {
        server.client.create(CreateInteraction::new("scripted", number.to_string())).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut page = server.client.list().page_size(2).await.unwrap();
    loop {
        seen.extend(page.ids());
        let Some(token) = page.next_page_token else { break };
        page = server.client.list().page_size(2).page_token(token).await.unwrap();
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);
    assert!(server.client.list().status(Status::Failed).await.unwrap().ids().is_empty());
}

#[tokio::test]
async fn content_is_stored_once_and_read_only_when_it_is_shown() {
    let dir = directory();
    let loads = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&loads);
    let store = Hooked::open(&dir, move |called| {
        if called == "load" {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        std::future::ready(Ok(())).boxed()
    })
    .await;
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).store(store).build().await.unwrap();
    let server = Harness::around(server, dir.clone());
    let request = CreateInteraction::new("scripted", "count to 1000, a-needle").background(true);
    let started = server.client.create(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.client.cancel(&started.id).await.unwrap();
    server.client.list().await.unwrap();
    assert_eq!(loads.load(Ordering::SeqCst), 1, "only the answer to the cancelling shows content");
    let (_, shown) =
        server.raw("GET", &format!("/v1/interactions/{}?include_input=true", started.id), "").await;
    assert_eq!(shown["input"][0]["content"][0]["text"], "count to 1000, a-needle");
    server.client.delete(&started.id).await.unwrap();
    assert_eq!(loads.load(Ordering::SeqCst), 2);

    server.client.create(CreateInteraction::new("scripted", "fail, b-needle")).await.unwrap();
    server.server.close().await;
    let file = std::fs::read(dir.join("interactions.db")).unwrap();
    let count = |needle: &[u8]| file.windows(needle.len()).filter(|part| *part == needle).count();
    assert_eq!(count(b"b-needle"), 1);
    assert_eq!(count(b"a-needle"), 0);
}

#[tokio::test]
async fn a_quick_run_is_stored_in_one_write_and_a_slow_one_before_anybody_waits() {
    let dir = directory();
    let writes = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&writes);
    let store = Hooked::open(&dir, move |called| {
        if ["insert", "append", "finish"].contains(&called) {
            log.lock().unwrap().push(called);
        }
        std::future::ready(Ok(())).boxed()
    })
    .await;
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).store(store).build().await.unwrap();
    let server = Harness::around(server, dir);
    // Continuation would fill in what only the client knows.
    let quick = server.client.create(CreateInteraction::new("scripted", "hi"));
    let quick = quick.automatic_continuation(false).await.unwrap();
    assert_eq!(std::mem::take(&mut *writes.lock().unwrap()), ["insert"]);
    let mut read = server.client.get(&quick.id).await.unwrap();
    assert_eq!(read.steps.remove(0), interactions_types::Step::user_text("hi"));
    assert_eq!(read, quick);
    let events: Vec<_> = server.client.get(&quick.id).stream().await.unwrap().collect().await;
    assert!(matches!(events.last(), Some(Ok(StreamEvent::Completed(_)))));

    let waiting = CreateInteraction::new("scripted", "wait 1");
    let waiting = tokio::spawn(server.client.create(waiting).into_future());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(*writes.lock().unwrap(), ["insert"], "it is on record while the model thinks");
    let running = server.client.list().status(Status::InProgress).await.unwrap();
    assert_eq!(running.ids().len(), 1);
    assert_eq!(waiting.await.unwrap().unwrap().status, Status::Completed);
    assert_eq!(*writes.lock().unwrap(), ["insert", "finish"]);
}

#[tokio::test]
async fn pages_of_strangers_cannot_use_a_server_without_keys() {
    let statuses = async |keys: Vec<KeyConfig>| {
        let mut config = Config::default();
        config.data_dir = Some(directory());
        "127.0.0.1:0".clone_into(&mut config.listen);
        config.auth.keys = keys;
        let server = Server::builder(config).build().await.unwrap();
        let listener = server.bind().await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        let get = async |name: &'static str, value: String| {
            let transport = ReqwestTransport::new().unwrap();
            let request = http::Request::get(format!("http://{address}/v1/interactions"))
                .header("x-goog-api-key", "secret")
                .header(name, value)
                .body(Body::empty())
                .unwrap();
            transport.send(request).await.unwrap().status().as_u16()
        };
        let found = [
            get("accept", "application/json".to_owned()).await,
            get("origin", format!("http://{address}")).await,
            get("origin", "https://evil.example".to_owned()).await,
            get("host", "evil.example".to_owned()).await,
        ];
        server.close().await;
        found
    };
    assert_eq!(statuses(Vec::new()).await, [200, 200, 403, 403]);
    // With a key it is whoever has the key.
    assert_eq!(statuses(vec![KeyConfig::new("secret", "a")]).await, [200; 4]);
}
