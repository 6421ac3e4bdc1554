//! Databases of every earlier schema, opened by this version.

use interactions_types::{Step, StreamEvent};

use super::super::LabelFilter;
use super::*;

/// What a server of the first schema had written: a turn that is over, one that goes on from it
/// and still runs, and one whose request is damaged.
const FIRST: [&str; 4] = [
    r#"insert into interactions
       (id, tenant, parent, model, status, background, request, input, output, usage, errors, last_seq, created, updated)
       values ('v1_a', 't', null, 'm', 'completed', 0,
               '{"model":"m","input":[],"labels":{"team":"blue"}}',
               '[{"type":"user_input","content":[{"type":"text","text":"one"}]}]',
               '[{"type":"model_output","content":[{"type":"text","text":"two"}]}]',
               '{"total_tokens":3}', '[]', 2, 1000, 2000)"#,
    r#"insert into interactions
       (id, tenant, parent, model, status, background, request, input, owner, lease_until, created, updated)
       values ('v1_b', 't', 'v1_a', 'm', 'in_progress', 1,
               '{"model":"m","input":[],"background":true,"previous_interaction_id":"v1_a"}',
               '[{"type":"user_input","content":[{"type":"text","text":"three"}]}]', 'gone', 1, 3000, 3000)"#,
    r#"insert into interactions (id, tenant, model, status, background, request, created, updated)
       values ('v1_damaged', 't', 'm', 'failed', 0, '{"labels": ', 500, 500)"#,
    r#"insert into chunks values ('v1_a', 1, 2,
       'step.start {"event_type":"step.start","index":0,"step":{"type":"model_output"}}
step.stop {"event_type":"step.stop","index":0}
')"#,
];

#[tokio::test]
async fn every_earlier_schema_is_brought_up_to_date_with_all_that_it_holds() {
    let all = MIGRATIONS.migrations.to_vec();
    for version in 1..=all.len() {
        let path = std::env::temp_dir()
            .join(format!("interactions-schema-{version}-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&path);
        make(&path, &all[..version], &FIRST).await;

        let store = SqliteStore::open(&path).await.unwrap();
        check(&store, version).await;
        store.close().await;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
}

/// A file as a server with these migrations only would have left it.
async fn make(path: &Path, migrations: &[sqlx::migrate::Migration], rows: &[&'static str]) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    // The rows come with the first schema; every later one sees them as it would have.
    Migrator::with_migrations(migrations[..1].to_vec()).run(&pool).await.unwrap();
    for row in rows {
        sqlx::query(*row).execute(&pool).await.unwrap();
    }
    Migrator::with_migrations(migrations.to_vec()).run(&pool).await.unwrap();
    pool.close().await;
}

async fn check(store: &SqliteStore, version: usize) {
    let (a, b) = ("v1_a".into(), "v1_b".into());
    let record = store.load("t", &a).await.unwrap().expect("v1_a is there");
    assert_eq!(record.output, [Step::model_text("two")], "schema {version}");
    assert_eq!(record.usage.and_then(|usage| usage.total_tokens), Some(3), "schema {version}");

    let events = store.events_after(&a, 0, 10).await.unwrap();
    let kinds: Vec<String> = events
        .iter()
        .flat_map(|chunk| &chunk.events)
        .map(|event| {
            let decoded = StreamEvent::decode(Some(&event.kind), event.json.as_bytes()).unwrap();
            assert!(!matches!(decoded, StreamEvent::Unknown(_)), "{decoded:?}");
            event.kind.clone()
        })
        .collect();
    assert_eq!(kinds, ["step.start", "step.stop"], "schema {version}");

    let chain = store.chain("t", &b, 10).await.unwrap();
    let turns: Vec<_> = chain.turns.iter().map(|turn| turn.id.as_str()).collect();
    assert_eq!((turns, chain.missing), (vec!["v1_a", "v1_b"], None), "schema {version}");

    let page = |labels| Page { size: 9, labels, ..Page::default() };
    let ids =
        |found: Vec<Summary>| found.into_iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
    let every = ids(store.list("t", &page(Vec::new())).await.unwrap());
    assert_eq!(every, ["v1_b", "v1_a", "v1_damaged"], "schema {version}");
    let blue = vec![LabelFilter::new("team", Some("blue".to_owned()))];
    assert_eq!(ids(store.list("t", &page(blue)).await.unwrap()), ["v1_a"], "schema {version}");

    // What was running is found by whoever looks for the work of those who are gone.
    let claims = store.claim("me", Duration::from_secs(60), &[], 9).await.unwrap();
    let claimed: Vec<_> = claims.iter().map(|claim| claim.lease.id.as_str()).collect();
    assert_eq!(claimed, ["v1_b"], "schema {version}");
    assert!(store.erase("t", &a, 9).await.unwrap(), "schema {version}");
}
