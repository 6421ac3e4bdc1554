//! What only an index in a file has to show.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::migrate::{Migration, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::super::exam::{
    self, change, complete, kept, mine, one_of_many_gets_the_turn, position, push, stored, task,
};
use super::file::MIGRATIONS;
use super::*;
use crate::wire::Part;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("interactions-a2a-index-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("tasks.db")
    }

    async fn index(&self) -> SqliteIndex {
        SqliteIndex::open(self.file()).await.expect("opened")
    }

    /// The file, without our rules.
    async fn raw(&self) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
        SqlitePool::connect_with(options).await.expect("opened")
    }

    async fn execute(&self, statements: &[&'static str]) {
        let raw = self.raw().await;
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&raw).await.expect("executed");
        }
        raw.close().await;
    }

    async fn refusal(&self) -> String {
        SqliteIndex::open(self.file()).await.expect_err("not opened").to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

exam::sit!(async {
    let folder = Folder::new();
    let index = Arc::new(folder.index().await) as Arc<dyn Index>;
    (folder, index)
});

#[tokio::test]
async fn everything_survives_reopening() {
    let folder = Folder::new();
    let index = folder.index().await;
    let done = kept(&index, task(&mine(), "c")).await;
    index.claim(&mine(), &done.id).await.unwrap();
    let done = complete(&index, &done, "handle").await;
    let next = kept(&index, task(&mine(), "c")).await;
    let last = kept(&index, task(&mine(), "c")).await;
    index.put_push(&push(&next, "p")).await.unwrap();
    index.push_served(&mine(), &next.id, "p", position(0, 5, false)).await.unwrap();
    index.close().await;
    index.close().await;
    let closed = index.task(&mine(), &done.id).await.unwrap_err().to_string();
    assert!(closed.contains("closed"), "{closed}");
    index.insert(&done).await.unwrap_err();
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left, [folder.file()], "nothing is left beside the file");

    let index = folder.index().await;
    assert_eq!(stored(&index, &done).await, done);
    assert_eq!(index.insert(&done).await.unwrap(), Inserted::Known(Box::new(done)));
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [next.id.as_str(), &last.id]);
    let Claim::Yes { head, .. } = index.claim(&mine(), &next.id).await.unwrap() else {
        panic!("it is its turn");
    };
    assert_eq!(head.as_deref(), Some("handle"));
    let pushes = index.unserved_pushes().await.unwrap();
    assert_eq!(pushes, [PushRecord { position: position(0, 5, false), ..push(&next, "p") }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_two_doors_do_not_lock_each_other_out() {
    let folder = Folder::new();
    let doors = [folder.index().await, folder.index().await];
    let writers = (0..16).map(|writer| {
        let index = doors[writer % 2].clone();
        tokio::spawn(async move {
            for number in 0..15 {
                let mut mine = task(&mine(), &format!("c{}", number % 3));
                mine.id = format!("{writer}.{number}");
                let mine = kept(&index, mine).await;
                index.put_push(&push(&mine, "p")).await.unwrap();
                index.push_served(&mine.scope, &mine.id, "p", position(0, 1, true)).await.unwrap();
                index.claim(&mine.scope, &mine.id).await.unwrap();
                change(&index, &mine, |task| {
                    task.status.state = TaskState::Completed;
                })
                .await;
                index.list(&mine.scope, &Query { limit: 3, ..Query::default() }).await.unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let done = Query { state: Some(TaskState::Completed), limit: 1, ..Query::default() };
    for index in &doors {
        assert_eq!(index.list(&mine(), &done).await.unwrap().total, 240);
        assert!(index.unserved_pushes().await.unwrap().is_empty());
    }
    // Whoever leaves takes nothing along.
    doors[0].close().await;
    kept(&doors[1], task(&mine(), "c")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_claims_at_two_doors_gets_the_turn() {
    let folder = Folder::new();
    let doors = [folder.index().await, folder.index().await];
    one_of_many_gets_the_turn(&doors.map(|door| Arc::new(door) as Arc<dyn Index>)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_can_be_opened_by_many_at_once() {
    for _ in 0..5 {
        let folder = Folder::new();
        let opened =
            join_all((0..12).map(|_| tokio::spawn(SqliteIndex::open(folder.file())))).await;
        for index in opened {
            kept(&index.unwrap().unwrap(), task(&mine(), "c")).await;
        }
        assert_eq!(folder.index().await.waiting(&mine(), "c").await.unwrap().len(), 12);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_half_way_leaves_nothing_half_done() {
    let folder = Folder::new();
    let index = folder.index().await;
    let first = kept(&index, task(&mine(), "c")).await;
    for round in 0..60 {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (index, first) = (index.clone(), first.clone());
                tokio::spawn(async move {
                    loop {
                        let mut now = stored(&index, &first).await;
                        now.turns[0].handles.push("h".to_owned());
                        index.update(&now).await.unwrap();
                        index.insert(&task(&mine(), "c")).await.unwrap();
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(200 * round)).await;
        for writer in writers {
            writer.abort();
        }
    }
    let now = change(&index, &first, |task| task.cancelling = true).await;
    let changes = u64::try_from(now.turns[0].handles.len()).unwrap() + 1;
    assert_eq!(now.version, first.version + changes);
    assert!(changes > 1, "somebody got through");
    kept(&index, task(&mine(), "c")).await;
}

/// What a host of the first schema had written: a task that has ended, and one that waits behind
/// one at work.
const FIRST: &str = r#"
insert into tasks values ('ann', 'weather', 't1', 'c', 'm1', 'TASK_STATE_COMPLETED', 1, 1500, 1000, 1, 1, 0, 3,
'{"id":"t1","scope":{"owner":"ann","agent":"weather"},"context_id":"c",
  "status":{"state":"TASK_STATE_COMPLETED","message":null,"metadata":null,"timestamp":"1970-01-01T00:00:01.500Z"},
  "turns":[{"message":{"messageId":"m1","contextId":"c","taskId":"t1","role":"ROLE_USER","parts":[{"text":"rain?"}]},
            "accepted_output_modes":["text/plain"],"handles":["h1"],
            "outcome":{"state":"TASK_STATE_COMPLETED","message":null,"metadata":null,"timestamp":"1970-01-01T00:00:01.500Z"}}],
  "cancelling":false,"metadata":{"k":1},"created":"1970-01-01T00:00:01Z","version":3}');
insert into tasks values ('ann', 'weather', 't2', 'c', 'm2', 'TASK_STATE_WORKING', 1, 2500, 2000, 1, 0, 1, 1,
'{"id":"t2","scope":{"owner":"ann","agent":"weather"},"context_id":"c",
  "status":{"state":"TASK_STATE_WORKING","message":null,"metadata":null,"timestamp":"1970-01-01T00:00:02.500Z"},
  "turns":[{"message":{"messageId":"m2","role":"ROLE_USER","parts":[{"text":"snow?"}]},
            "accepted_output_modes":[],"handles":[],"outcome":null}],
  "cancelling":false,"metadata":null,"created":"1970-01-01T00:00:02Z","version":1}');
insert into tasks values ('ann', 'weather', 't3', 'c', 'm3', 'TASK_STATE_SUBMITTED', 1, 2600, 2600, 1, 0, 1, 0,
'{"id":"t3","scope":{"owner":"ann","agent":"weather"},"context_id":"c",
  "status":{"state":"TASK_STATE_SUBMITTED","message":null,"metadata":null,"timestamp":"1970-01-01T00:00:02.600Z"},
  "turns":[{"message":{"messageId":"m3","role":"ROLE_USER","parts":[{"text":"hail?"}]},
            "accepted_output_modes":[],"handles":[],"outcome":null}],
  "cancelling":false,"metadata":null,"created":"1970-01-01T00:00:02.600Z","version":0}');
insert into pushes values ('ann', 'weather', 't2', 'p', 'https://there.example', x'00ff', 0, 4, 0);
"#;

#[tokio::test]
async fn every_earlier_schema_is_brought_up_to_date_with_all_that_it_holds() {
    let all: Vec<Migration> = MIGRATIONS.iter().cloned().collect();
    for version in 1..=all.len() {
        let folder = Folder::new();
        let raw = folder.raw().await;
        Migrator::with_migrations(all[..1].to_vec()).run(&raw).await.unwrap();
        sqlx::raw_sql(FIRST).execute(&raw).await.unwrap();
        Migrator::with_migrations(all[..version].to_vec()).run(&raw).await.unwrap();
        raw.close().await;

        let index = folder.index().await;
        let one = index.task(&mine(), "t1").await.unwrap().expect("t1 is there");
        assert_eq!((one.version, one.last_handle()), (3, Some("h1")), "schema {version}");
        let unfinished = index.unfinished().await.unwrap();
        let unfinished: Vec<_> = unfinished.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(unfinished, ["t2", "t3"], "schema {version}");
        let pushes = index.unserved_pushes().await.unwrap();
        assert_eq!(pushes[0].position, position(0, 4, false), "schema {version}");
        assert_eq!(index.claim(&mine(), "t3").await.unwrap(), Claim::Wait, "schema {version}");
        let Claim::Yes { head, .. } = index.claim(&mine(), "t2").await.unwrap() else {
            panic!("t2 has the turn");
        };
        assert_eq!(head.as_deref(), Some("h1"), "schema {version}");
        index.close().await;
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_alone() {
    let text = Folder::new();
    let words = "These are not rows, they are words. ".repeat(99);
    std::fs::write(text.file(), &words).unwrap();
    let refusal = text.refusal().await;
    assert!(refusal.contains("not an SQLite database"), "{refusal}");
    assert!(refusal.contains("tasks.db"), "{refusal}");
    assert_eq!(std::fs::read_to_string(text.file()).unwrap(), words);

    for made in [
        "create table pets (name text)",
        "pragma application_id = 7",
        // The tables of a program that keeps its schema in the same way, and a name of ours.
        "create table _sqlx_migrations (version bigint primary key); create table tasks (id text)",
    ] {
        let folder = Folder::new();
        folder.execute(&[made]).await;
        let before = std::fs::read(folder.file()).unwrap();
        let refusal = folder.refusal().await;
        assert!(refusal.contains("a database of something else"), "{made}: {refusal}");
        assert_eq!(std::fs::read(folder.file()).unwrap(), before, "{made}: not a byte is changed");
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.file()).unwrap();
    assert!(folder.refusal().await.contains("tasks.db"));
    assert!(SqliteIndex::open("").await.is_err());
}

#[tokio::test]
async fn a_file_of_another_version_is_refused() {
    for (change, told) in [
        ("update _sqlx_migrations set version = 99", "a newer version of this program (schema 99)"),
        ("update _sqlx_migrations set checksum = x'00'", "a development version"),
    ] {
        let folder = Folder::new();
        folder.index().await.close().await;
        folder.execute(&[change]).await;
        let refusal = folder.refusal().await;
        assert!(refusal.contains(told), "{refusal}");
    }
}

#[tokio::test]
async fn an_empty_file_and_one_that_was_hardly_begun_become_an_index() {
    let empty = Folder::new();
    std::fs::write(empty.file(), "").unwrap();
    kept(&empty.index().await, task(&mine(), "c")).await;
    // Another program's way to migrate would leave this behind when it is killed.
    let begun = Folder::new();
    let raw = begun.raw().await;
    Migrator::with_migrations(Vec::new()).run(&raw).await.unwrap();
    raw.close().await;
    kept(&begun.index().await, task(&mine(), "c")).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let inner = folder.0.join("some/where");
    let index = SqliteIndex::open(inner.join("tasks.db")).await.unwrap();
    kept(&index, task(&mine(), "c")).await;
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.0.join("some")), mode(inner.clone())), (0o700, 0o700));
    for name in ["tasks.db", "tasks.db-wal", "tasks.db-shm"] {
        assert_eq!(mode(inner.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_named_and_the_others_are_there() {
    for damage in [
        "update tasks set record = '{\"id\": \"lost\", \"scope\": \"s3cret\"}' where id = 'lost'",
        "update tasks set record = substr(record, 1, 40) where id = 'lost'",
        "update tasks set record = x'ff00' where id = 'lost'",
        "update tasks set state = 'TASK_STATE_WORKING' where id = 'lost'",
        "update tasks set version = 5 where id = 'lost'",
        "update tasks set record = (select record from tasks where id = 'whole') where id = 'lost'",
        "update tasks set record = json_set(record, '$.turns', json('[]')) where id = 'lost'",
    ] {
        let folder = Folder::new();
        let index = folder.index().await;
        let mut lost = task(&mine(), "c");
        "lost".clone_into(&mut lost.id);
        let mut whole = task(&mine(), "d");
        "whole".clone_into(&mut whole.id);
        let (lost, whole) = (kept(&index, lost).await, kept(&index, whole).await);
        folder.execute(&[damage]).await;
        let page = Query { limit: 9, ..Query::default() };
        for error in [
            index.task(&mine(), "lost").await.map(drop),
            index.claim(&mine(), "lost").await.map(drop),
            index.insert(&lost).await.map(drop),
            index.list(&mine(), &page).await.map(drop),
            index.unfinished().await.map(drop),
        ] {
            let error = error.expect_err(damage).to_string();
            assert!(error.contains("`lost` is damaged"), "{damage}: {error}");
            assert!(!error.contains("s3cret") && !error.contains("rain"), "{damage}: {error}");
        }
        assert_eq!(stored(&index, &whole).await, whole, "{damage}");
        change(&index, &whole, |task| task.cancelling = true).await;
    }
    let folder = Folder::new();
    let index = folder.index().await;
    let task = kept(&index, task(&mine(), "c")).await;
    index.put_push(&push(&task, "p")).await.unwrap();
    folder.execute(&["update pushes set updates = -1"]).await;
    let error = index.pushes(&mine(), &task.id).await.unwrap_err().to_string();
    assert!(error.contains(&task.id) && error.contains("updates is -1"), "{error}");
}

#[tokio::test]
async fn what_could_not_be_read_again_is_not_kept() {
    let folder = Folder::new();
    let index = folder.index().await;
    let nested = |depth| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
    let mut deep = task(&mine(), "c");
    deep.turns[0].message.parts = vec![Part::data(nested(126))];
    let error = index.insert(&deep).await.unwrap_err().to_string();
    assert!(error.contains(&deep.id) && error.contains("nested too deeply"), "{error}");
    let fine = kept(&index, task(&mine(), "c")).await;
    let worse = TaskRecord { turns: deep.turns.clone(), ..fine.clone() };
    index.update(&worse).await.unwrap_err();
    assert_eq!(index.unfinished().await.unwrap(), [fine]);
    deep.turns[0].message.parts = vec![Part::data(nested(100))];
    assert_eq!(stored(&index, &kept(&index, deep.clone()).await).await, deep);
}

#[tokio::test]
async fn debug_shows_neither_tasks_nor_places() {
    let folder = Folder::new();
    let index = folder.index().await;
    kept(&index, task(&mine(), "c")).await;
    assert_eq!(format!("{index:?}"), "SqliteIndex { .. }");
}
