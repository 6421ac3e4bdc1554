//! The exam that every store sits.

mod harness;

use std::sync::Arc;

use harness::directory;
use interactions_server::store::{SqliteStore, Store};
use interactions_testing::conformance;

#[tokio::test]
async fn sqlite_keeps_what_the_engine_relies_on() {
    let report = conformance::store(async || {
        let file = directory().join("interactions.db");
        let store = SqliteStore::open(&file).await.expect("a store in a new directory");
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.passed.len(), 18);
}
