//! What those who operate a server see and set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use harness::hooked::Hooked;
use harness::{Harness, directory};
use interactions_client::ErrorKind;
use interactions_server::store::{SqliteStore, StoreError, StoreErrorKind};
use interactions_server::{Config, KeyConfig, Server};
use interactions_transport::Transport;
use interactions_types::{CreateInteraction, Status};

async fn text(server: &Harness, path: &str) -> String {
    let request = http::Request::get(format!("http://in-process{path}"));
    let request = request.body(interactions_transport::Body::empty()).unwrap();
    let body = server.transport.send(request).await.unwrap().into_body();
    String::from_utf8(body.collect(1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn numbers_for_prometheus_name_routes_and_outcomes_but_nobody() {
    let server = Harness::new().await;
    let done = server.client.create(CreateInteraction::new("scripted", "a-secret")).await.unwrap();
    server.client.create(CreateInteraction::new("scripted", "fail")).await.unwrap();
    server.client.get(&done.id).stream().await.unwrap().finish().await.unwrap();
    server.raw("GET", "/nowhere/at/all", "").await;
    server.raw("BREW", "/v1/interactions", "").await;
    let numbers = text(&server, "/metrics").await;
    for line in [
        r#"interactions_http_requests_total{method="POST",route="/v1/interactions",status="200"} 2"#,
        r#"interactions_http_requests_total{method="GET",route="/v1/interactions/{id}",status="200"} 1"#,
        r#"interactions_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"interactions_http_requests_total{method="other",route="/v1/interactions",status="405"} 1"#,
        r#"interactions_runs_total{status="completed"} 1"#,
        r#"interactions_runs_total{status="failed"} 1"#,
        "interactions_runs_active 0",
        "interactions_stream_readers 0",
        r#"interactions_tokens_total{kind="output"} "#,
    ] {
        assert!(numbers.contains(line), "{line}\n{numbers}");
    }
    assert!(!numbers.contains(done.id.as_str()) && !numbers.contains("a-secret"), "{numbers}");
    assert!(numbers.ends_with("# EOF\n"));
}

#[tokio::test]
async fn tenants_are_kept_for_as_long_as_their_configuration_says() {
    let mut config = Config::parse(
        "[retention]\ndefault = \"55d\"\ntenants = { brief = \"1s\" }\n\
         [limits]\nrequests_per_minute = 1000",
    )
    .unwrap();
    config.auth.keys = vec![KeyConfig::new("b", "brief"), KeyConfig::new("l", "long")];
    let error = Config::parse("[retention]\ntenants = { a = \"soon\" }").unwrap_err().to_string();
    assert!(error.contains("retention.tenants.a") && error.contains("55d"), "{error}");

    let dir = directory();
    let server = Harness::at(dir.clone(), config).await;
    let create = |key: &'static str| {
        server
            .client
            .create(CreateInteraction::new("scripted", "hi"))
            .extra_header("x-goog-api-key", key)
    };
    let (brief, long) = (create("b").await.unwrap(), create("l").await.unwrap());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // The sweeper comes once a minute; this is what it does.
    let store = SqliteStore::open(&dir.join("interactions.db")).await.unwrap();
    let now = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(),
    )
    .unwrap();
    let erased = interactions_server::store::Store::expire(&store, now).await.unwrap();
    assert_eq!(erased, 1);
    let read = |id: &interactions_types::InteractionId, key: &'static str| {
        server.client.get(id).extra_header("x-goog-api-key", key)
    };
    assert_eq!(read(&brief.id, "b").await.unwrap_err().status(), Some(404));
    assert_eq!(read(&long.id, "l").await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_tenant_in_a_hurry_is_told_when_to_come_back() {
    let mut config = Config::default();
    config.limits.requests_per_minute = 3;
    let server = Harness::with(config).await;
    let get = || server.client.get("v1_none").with_retry(interactions_client::Backoff::never());
    for _ in 0..3 {
        assert_eq!(get().await.unwrap_err().status(), Some(404));
    }
    let error = get().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(429), Some("too_many_requests")));
    let wait = error.retry_after().unwrap();
    assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(20), "{wait:?}");
    // Whoever watches over the server is not in a hurry.
    assert_eq!(server.raw("GET", "/healthz", "").await.0, 200);
}

#[tokio::test]
async fn limits_of_requests_are_named_in_their_refusals() {
    let mut config = Config::default();
    config.limits.input_steps = 2;
    config.limits.json_depth = 8;
    let server = Harness::with(config).await;
    let turn = r#"{"type":"user_input","content":[{"type":"text","text":"x"}]}"#;
    let body = format!(r#"{{"model":"scripted","input":[{turn},{turn},{turn}]}}"#);
    let (status, answer) = server.raw("POST", "/v1/interactions", body).await;
    assert_eq!(status, 400);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("3 steps") && message.contains('2'), "{message}");

    let deep = format!("{}1{}", "[".repeat(9), "]".repeat(9));
    let body = format!(r#"{{"model":"scripted","input":"x","generation_config":{deep}}}"#);
    let (status, answer) = server.raw("POST", "/v1/interactions", body).await;
    assert_eq!(status, 400);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("generation_config") && message.contains("8 levels"), "{message}");
}

#[tokio::test]
async fn a_disk_that_is_full_is_said_and_passes() {
    let dir = directory();
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let store = Hooked::open(&dir, move |called| {
        let fails = is_full.load(Ordering::SeqCst)
            && ["insert", "append", "finish", "add_key"].contains(&called);
        std::future::ready(match fails {
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "database or disk is full")),
            false => Ok(()),
        })
        .boxed()
    })
    .await;
    let mut config = Config::default();
    config.data_dir = Some(dir.clone());
    let server = Server::builder(config).store(store).build().await.unwrap();
    let server = Harness::around(server, dir);
    let create = || {
        let create = server.client.create(CreateInteraction::new("scripted", "hi"));
        create.with_retry(interactions_client::Backoff::never())
    };
    let before = create().await.unwrap();
    full.store(true, Ordering::SeqCst);
    let error = create().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Api, Some(503)));
    assert_eq!(error.code(), Some("service_unavailable"));
    assert!(error.retry_after().is_some());
    assert_eq!(server.client.get(&before.id).await.unwrap().status, Status::Completed);
    full.store(false, Ordering::SeqCst);
    assert_eq!(create().await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn stopping_is_announced_and_takes_as_long_as_it_is_told() {
    let mut config = Config::parse("[shutdown]\npatience = \"300ms\"").unwrap();
    let dir = directory();
    config.data_dir = Some(dir.clone());
    let server = Harness::at(dir.clone(), config).await;
    assert_eq!(server.raw("GET", "/readyz", "").await.0, 200);
    let long = CreateInteraction::new("scripted", "wait 30").background(true);
    let left = server.client.create(long).await.unwrap();
    let begin = std::time::Instant::now();
    let closing = server.server.close();
    let watching = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.raw("GET", "/readyz", "").await
    };
    let ((), (status, answer)) = tokio::join!(closing, watching);
    assert_eq!((status, &answer["error"]["code"]), (503, &"service_unavailable".into()));
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());

    // What was left is taken over at once by the next server on the database.
    let next = Harness::at(dir, Config::default()).await;
    let running = next.client.get(&left.id).await.unwrap();
    assert_eq!(running.status, Status::InProgress);
    next.client.cancel(&left.id).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_database_in_use_is_whole_and_overwrites_nothing() {
    let dir = directory();
    let server = Harness::at(dir.clone(), Config::default()).await;
    let first = server.client.create(CreateInteraction::new("scripted", "hi")).await.unwrap();
    let (database, copy) = (dir.join("interactions.db"), dir.join("copies/today.db"));
    SqliteStore::backup(&database, &copy).await.unwrap();
    let second = server.client.create(CreateInteraction::new("scripted", "ho")).await.unwrap();
    let refused = SqliteStore::backup(&database, &copy).await.unwrap_err();
    assert!(refused.to_string().contains("exists"), "{refused}");
    let refused = SqliteStore::backup(&dir.join("none.db"), &dir.join("x.db")).await.unwrap_err();
    assert!(refused.to_string().contains("none.db"), "{refused}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "a copy is as private as the database");
    }

    let mut config = Config::default();
    config.database = Some(format!("sqlite://{}", copy.display()));
    let restored = Server::builder(config).build().await.unwrap();
    let restored = Harness::around(restored, directory());
    assert_eq!(restored.client.get(&first.id).await.unwrap().output_text(), first.output_text());
    assert_eq!(restored.client.get(&second.id).await.unwrap_err().status(), Some(404));
    let events = restored.client.get(&first.id).stream().await.unwrap().finish().await.unwrap();
    assert_eq!(events.output_text(), first.output_text());
}
