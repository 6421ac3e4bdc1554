//! Runs outlive what happens to their processes and their store.

mod harness;

use std::path::Path;
use std::time::Duration;

use harness::{Harness, directory};
use interactions_server::Config;
use interactions_types::{CreateInteraction, Status};
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
