//! The store's promises, on real files.

use std::path::PathBuf;
use std::time::Duration;

use interactions_types::{CreateInteraction, Step};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

struct Fixture {
    store: SqliteStore,
    path: PathBuf,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("interactions-{name}-{}.db", std::process::id()));
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
        Self { store: SqliteStore::open(&path).await.unwrap(), path }
    }

    async fn insert(&self, id: &str, parent: Option<&str>, created: i64) -> Lease {
        self.insert_for(MINUTE, id, parent, created).await
    }

    /// A run whose process has already gone.
    async fn insert_orphan(&self, id: &str) -> Lease {
        let lease = self.insert_for(Duration::ZERO, id, None, 1).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        lease
    }

    async fn listed(&self, page: Page) -> Vec<String> {
        let found = self.store.list("t", &page).await.unwrap();
        found.into_iter().map(|summary| summary.id.to_string()).collect()
    }

    async fn insert_for(
        &self,
        lease_for: Duration,
        id: &str,
        parent: Option<&str>,
        created: i64,
    ) -> Lease {
        let mut request = CreateInteraction::new("m", id);
        request.previous_interaction_id = parent.map(InteractionId::from);
        self.insert_request(lease_for, id, request, created).await
    }

    async fn insert_labelled(&self, id: &str, labels: &[(&str, &str)], created: i64) -> Lease {
        let mut request = CreateInteraction::new("m", id);
        let owned = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        request.labels = Some(owned.collect());
        self.insert_request(MINUTE, id, request, created).await
    }

    async fn insert_request(
        &self,
        lease_for: Duration,
        id: &str,
        request: CreateInteraction,
        created: i64,
    ) -> Lease {
        let lease = Lease::new(id.into(), "me".to_owned(), 1);
        let new = NewInteraction::new(
            lease.clone(),
            "t".to_owned(),
            request,
            vec![Step::user_text(id)],
            created,
            lease_for,
        );
        self.store.insert(&new, None, None).await.unwrap();
        lease
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.path.display()));
        }
    }
}

fn ending(text: &str) -> Ending {
    Ending {
        deliveries: Vec::new(),
        status: Status::Completed,
        output: vec![Step::model_text(text)],
        usage: None,
        errors: Vec::new(),
        updated: 9,
    }
}

fn chunk(first: u64, count: u64) -> Chunk {
    let events = (first..first + count)
        .map(|seq| LoggedEvent::new("step.stop", format!("{{\"seq\":{seq}}}")))
        .collect();
    Chunk::new(first, events)
}

use super::super::{LabelFilter, LoggedEvent, StoreErrorKind};

#[tokio::test]
async fn keeps_a_run_and_its_events() {
    let fixture = Fixture::new("run").await;
    let lease = fixture.insert("a", None, 1).await;
    fixture.store.append(&lease, &chunk(1, 3), None).await.unwrap();
    fixture.store.finish(&lease, Some(&chunk(4, 1)), &ending("hi")).await.unwrap();

    let record = fixture.store.load("t", &"a".into()).await.unwrap().unwrap();
    assert_eq!((record.status, record.last_seq), (Status::Completed, 4));
    assert_eq!(record.output, [Step::model_text("hi")]);
    let events = fixture.store.events_after(&"a".into(), 2, 10).await.unwrap();
    assert_eq!(events, [chunk(1, 3), chunk(4, 1)]);
    assert_eq!(fixture.store.load("other", &"a".into()).await.unwrap(), None);
}

#[tokio::test]
async fn fences_a_runner_that_lost_its_lease() {
    let fixture = Fixture::new("fence").await;
    fixture.insert("b", None, 1).await;
    let old = fixture.insert_orphan("a").await;
    let claims = fixture.store.claim("you", MINUTE, &[], 9).await.unwrap();
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();
    assert_eq!(leases, [Lease::new("a".into(), "you".to_owned(), 2)], "the lease of b still runs");
    assert!(fixture.store.claim("she", MINUTE, &[], 9).await.unwrap().is_empty());

    for refused in [
        fixture.store.append(&old, &chunk(1, 1), None).await,
        fixture.store.finish(&old, Some(&chunk(1, 1)), &ending("late")).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Fenced);
    }
    assert_eq!(fixture.store.events_after(&"a".into(), 0, 9).await.unwrap(), []);
    assert_eq!(
        fixture.store.heartbeat(std::slice::from_ref(&old), MINUTE).await.unwrap(),
        [(old, Beat::Lost)]
    );
    fixture.store.finish(&claims[0].lease, None, &ending("mine")).await.unwrap();
}

#[tokio::test]
async fn only_attempts_that_died_count_as_crashes() {
    let fixture = Fixture::new("crashes").await;
    fixture.insert_orphan("a").await;
    let claim = async |owner: &str, lease_for| {
        let mut claims = fixture.store.claim(owner, lease_for, &[], 9).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        claims.pop().unwrap()
    };
    assert_eq!(claim("one", MINUTE).await.crashes, 1);
    for attempt in 3..12 {
        fixture.store.release("one").await.unwrap();
        let handed_over = claim("one", MINUTE).await;
        assert_eq!((handed_over.crashes, handed_over.lease.attempt), (1, attempt));
    }
    fixture.store.release("one").await.unwrap();
    claim("two", Duration::ZERO).await;
    assert_eq!(claim("two", MINUTE).await.crashes, 2);
}

#[tokio::test]
async fn a_run_that_keeps_killing_its_processes_waits_longer_and_longer() {
    let fixture = Fixture::new("patience").await;
    fixture.insert_orphan("a").await;
    for crashes in [0, 4, 5, 6, 12, 13, 14, 100_u32] {
        let patience = super::super::patience_after(crashes);
        for (early, claimed) in [(60_000, 0), (-60_000, 1)] {
            sqlx::query("update interactions set owner = 'x', crashes = ?, lease_until = ?")
                .bind(crashes)
                .bind(crate::clock::now() - patience + early)
                .execute(&mut *fixture.store.writer.turn().await.unwrap())
                .await
                .unwrap();
            let claims = fixture.store.claim("one", MINUTE, &[], 9).await.unwrap();
            assert_eq!(claims.len(), claimed, "after {crashes} crashes");
        }
    }
}

#[tokio::test]
async fn a_late_heartbeat_does_not_make_a_runner_claim_its_own_runs() {
    let fixture = Fixture::new("own").await;
    let lease = fixture.insert_orphan("a").await;
    let running = [lease.id.clone()];
    assert!(fixture.store.claim("me", MINUTE, &running, 9).await.unwrap().is_empty());
    assert_eq!(
        fixture.store.heartbeat(std::slice::from_ref(&lease), MINUTE).await.unwrap(),
        [(lease, Beat::Held)]
    );
    assert!(fixture.store.claim("you", MINUTE, &[], 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn tells_a_runner_to_cancel() {
    let fixture = Fixture::new("cancel").await;
    let lease = fixture.insert("a", None, 1).await;
    assert!(!fixture.store.request_cancel("other", &"a".into()).await.unwrap());
    assert!(fixture.store.request_cancel("t", &"a".into()).await.unwrap());
    assert_eq!(
        fixture.store.heartbeat(std::slice::from_ref(&lease), MINUTE).await.unwrap(),
        [(lease, Beat::Cancel)]
    );
}

#[tokio::test]
async fn history_is_a_tree() {
    let fixture = Fixture::new("tree").await;
    for (id, parent) in
        [("root", None), ("left", Some("root")), ("right", Some("root")), ("leaf", Some("left"))]
    {
        let lease = fixture.insert(id, parent, 1).await;
        fixture.store.finish(&lease, None, &ending(id)).await.unwrap();
    }
    let ids =
        |chain: &Chain| chain.turns.iter().map(|turn| turn.id.to_string()).collect::<Vec<_>>();
    let leaf = fixture.store.chain("t", &"leaf".into(), 100).await.unwrap();
    assert_eq!(
        (ids(&leaf), &leaf.missing),
        (vec!["root".to_owned(), "left".to_owned(), "leaf".to_owned()], &None)
    );
    let right = fixture.store.chain("t", &"right".into(), 100).await.unwrap();
    assert_eq!(ids(&right), ["root", "right"]);
    let cut = fixture.store.chain("t", &"leaf".into(), 2).await.unwrap();
    assert_eq!(cut.missing, Some("root".into()));
    assert_eq!(fixture.store.chain("other", &"leaf".into(), 9).await.unwrap(), Chain::default());
}

#[tokio::test]
async fn erasing_leaves_a_tombstone_and_nothing_else() {
    let fixture = Fixture::new("erase").await;
    let lease = fixture.insert("a", None, 1).await;
    fixture.store.append(&lease, &chunk(1, 1), None).await.unwrap();
    assert!(!fixture.store.erase("other", &"a".into(), 2).await.unwrap());
    assert!(fixture.store.erase("t", &"a".into(), 2).await.unwrap());
    assert!(!fixture.store.erase("t", &"a".into(), 2).await.unwrap());
    let tombstone = fixture.store.load("t", &"a".into()).await.unwrap().unwrap();
    assert!(tombstone.erased && tombstone.input.is_empty());
    assert_eq!(fixture.store.events_after(&"a".into(), 0, 9).await.unwrap(), []);
    assert_eq!(
        fixture.store.finish(&lease, None, &ending("x")).await.unwrap_err().kind(),
        StoreErrorKind::Fenced
    );
}

#[tokio::test]
async fn lists_newest_first_in_pages() {
    let fixture = Fixture::new("list").await;
    for number in 0..5 {
        fixture.insert(&format!("i{number}"), None, number / 2).await;
    }
    let mut page = Page { size: 2, ..Page::default() };
    let mut seen = Vec::new();
    loop {
        let records = fixture.store.list("t", &page).await.unwrap();
        let Some(last) = records.last() else { break };
        page.before = Some((last.created, last.id.clone()));
        seen.extend(records.into_iter().map(|record| record.id.to_string()));
    }
    assert_eq!(seen, ["i4", "i3", "i2", "i1", "i0"]);
}

#[tokio::test]
async fn lists_what_has_all_labels_and_was_created_in_time() {
    let fixture = Fixture::new("labels").await;
    fixture.insert_labelled("a", &[("team", "blue"), ("run", "1")], 1).await;
    fixture.insert_labelled("b", &[("team", "red"), ("run", "1")], 2).await;
    fixture.insert_labelled("c", &[("team", "blue"), ("run", "")], 3).await;
    fixture.insert("d", None, 4).await;
    let label = |key: &str, value: Option<&str>| LabelFilter::new(key, value.map(str::to_owned));
    let page = |labels: Vec<LabelFilter>| Page { size: 9, labels, ..Page::default() };

    for (labels, ids) in [
        (vec![], vec!["d", "c", "b", "a"]),
        (vec![label("team", None)], vec!["c", "b", "a"]),
        (vec![label("team", Some("blue"))], vec!["c", "a"]),
        (vec![label("run", Some(""))], vec!["c"]),
        (vec![label("team", Some("blue")), label("run", Some("1"))], vec!["a"]),
        (vec![label("team", Some("blue")), label("team", Some("red"))], vec![]),
        (vec![label("Team", None)], vec![]),
    ] {
        assert_eq!(fixture.listed(page(labels.clone())).await, ids, "{labels:?}");
    }
    let between = Page { created_from: Some(2), created_to: Some(4), ..page(vec![]) };
    assert_eq!(fixture.listed(between.clone()).await, ["c", "b"], "from is in, to is out");
    let blue = Page { labels: vec![label("team", Some("blue"))], ..between };
    assert_eq!(fixture.listed(blue).await, ["c"]);
    let second = Page { before: Some((3, "c".into())), ..page(vec![label("team", Some("blue"))]) };
    assert_eq!(fixture.listed(second).await, ["a"]);
    assert_eq!(fixture.store.list("other", &page(vec![label("team", None)])).await.unwrap(), []);
}

#[tokio::test]
async fn labels_go_when_an_interaction_is_erased() {
    let fixture = Fixture::new("unlabel").await;
    fixture.insert_labelled("a", &[("team", "blue")], 1).await;
    fixture.insert_labelled("b", &[("team", "blue")], 1).await;
    assert!(fixture.store.erase("t", &"a".into(), 2).await.unwrap());
    let left: Vec<String> = sqlx::query_scalar("select interaction from labels")
        .fetch_all(&fixture.store.readers)
        .await
        .unwrap();
    assert_eq!(left, ["b"]);
}

#[tokio::test]
async fn filtered_lists_are_read_in_the_order_of_an_index() {
    let fixture = Fixture::new("plans").await;
    let order = "order by created desc, id desc limit 5";
    let by_label =
        "select stored.id from labels, interactions stored where stored.id = labels.interaction
        and erased is null and stored.tenant = 't' and labels.tenant = 't' and labels.key = 'k'";
    for (query, index) in [
        (
            format!("{by_label} order by labels.created desc, labels.interaction desc limit 5"),
            "labels_by_key",
        ),
        (
            format!(
                "{by_label} and labels.value = 'v' order by labels.created desc, labels.interaction desc limit 5"
            ),
            "labels_by_value",
        ),
        (
            format!(
                "select id from interactions where tenant = 't' and status = ? and status <> 'in_progress' {order}"
            ),
            "interactions_by_status",
        ),
        (
            format!("select id from interactions where tenant = 't' and model = 'm' {order}"),
            "interactions_by_model",
        ),
        (
            format!("select id from interactions where tenant = 't' and erased is null {order}"),
            "interactions_newest",
        ),
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("explain query plan {query}")))
                .fetch_all(&fixture.store.readers)
                .await
                .unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index), "{query}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}\n{plan}");
    }
}

#[tokio::test]
async fn explains_files_that_it_cannot_use() {
    let fixture = Fixture::new("explain").await;
    let junk = fixture.path.with_extension("junk");
    std::fs::write(&junk, "this is not a database, and long enough to tell ".repeat(40)).unwrap();
    let error = SqliteStore::open(&junk).await.unwrap_err().to_string();
    std::fs::remove_file(&junk).unwrap();
    assert!(error.contains("not an SQLite database"), "{error}");

    sqlx::query("insert into _sqlx_migrations values (999, 'future', 0, 1, x'00', 0)")
        .execute(&mut *fixture.store.writer.turn().await.unwrap())
        .await
        .unwrap();
    let error = SqliteStore::open(&fixture.path).await.unwrap_err().to_string();
    assert!(error.contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_new_file_may_be_opened_by_many_at_once() {
    for round in 0..5 {
        let name = format!("interactions-many-{}-{round}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let path = dir.join("new.db");
        let opened: Vec<_> = (0..6)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { SqliteStore::open(&path).await })
            })
            .collect();
        for store in opened {
            let store = store.await.unwrap().unwrap();
            store.ping().await.unwrap();
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_could_not_end_is_not_the_end_of_writing() {
    let fixture = Fixture::new("doubtful").await;
    let lease = fixture.insert("v1_a", None, 1).await;
    {
        let mut writer = fixture.store.writer.turn().await.unwrap();
        let mut tx = writer.begin().await.unwrap();
        // As after a full disk: SQLite has rolled back by itself, and the driver does not know.
        sqlx::query("rollback").execute(&mut *tx).await.unwrap();
        assert!(tx.commit().await.is_err());
    }
    let beats = fixture.store.heartbeat(&[lease], MINUTE).await.unwrap();
    assert!(matches!(beats[..], [(_, Beat::Held)]), "{beats:?}");
    fixture.store.ping().await.unwrap();
    assert!(fixture.store.erase("t", &"v1_a".into(), 2).await.unwrap());
}

#[tokio::test]
async fn what_was_erased_is_in_no_file() {
    let fixture = Fixture::new("scrubbed").await;
    let marker = "v1_TOPSECRETMARKER";
    fixture.insert(marker, None, 1).await;
    let everywhere = || {
        let files = ["", "-wal", "-shm"].map(|end| format!("{}{end}", fixture.path.display()));
        let texts = files.iter().filter_map(|file| std::fs::read(file).ok());
        texts.flatten().collect::<Vec<u8>>()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("SECRETINPUT").count();
    sqlx::query("update interactions set input = 'SECRETINPUT' where id = ?")
        .bind(marker)
        .execute(&mut *fixture.store.writer.turn().await.unwrap())
        .await
        .unwrap();
    assert!(text(&everywhere()) > 0);
    assert!(fixture.store.erase("t", &marker.into(), 2).await.unwrap());
    assert_eq!(text(&everywhere()), 0);
}

#[tokio::test]
async fn all_whose_time_is_over_go_batch_by_batch() {
    let fixture = Fixture::new("expired").await;
    for number in 0..1_100 {
        fixture.insert(&format!("v1_{number}"), None, 1).await;
    }
    sqlx::query("update interactions set expires = 5, status = 'completed'")
        .execute(&mut *fixture.store.writer.turn().await.unwrap())
        .await
        .unwrap();
    let mut batches = Vec::new();
    loop {
        match fixture.store.expire(10).await.unwrap() {
            0 => break,
            count => batches.push(count),
        }
    }
    assert_eq!(batches, [500, 500, 100]);
}

#[tokio::test]
async fn a_damaged_file_is_refused_when_it_is_opened() {
    let fixture = Fixture::new("damaged").await;
    fixture.insert("v1_a", None, 1).await;
    let (page, size): (i64, i64) = sqlx::query_as(
        "select rootpage, (select page_size from pragma_page_size) from sqlite_schema
         where name = 'interactions'",
    )
    .fetch_one(&fixture.store.readers)
    .await
    .unwrap();
    fixture.store.close().await;
    let mut bytes = std::fs::read(&fixture.path).unwrap();
    let at = usize::try_from((page - 1) * size).unwrap();
    bytes[at..at + usize::try_from(size).unwrap()].fill(0xa5);
    std::fs::write(&fixture.path, bytes).unwrap();
    let error = SqliteStore::open(&fixture.path).await.unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("--database"), "{error}");
}
