//! One exam of every rule of [`Index`], which each implementation sits.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use super::{Claim, Index, Inserted, Position, PushRecord, Query};
use crate::task::{Scope, StatusRecord, TaskRecord, TurnRecord};
use crate::wire::{Message, Part, Role, TaskState, Timestamp};

/// Makes a test of every rule. The expression is a future of something to hold and the index.
macro_rules! sit {
    ($index:expr) => {
        $crate::index::exam::sit! { $index;
            what_is_kept_is_given_back
            a_message_begins_one_task
            a_repeatable_message_begins_many_tasks
            a_message_sent_at_once_begins_one_task
            messages_of_later_turns_begin_nothing
            an_id_is_taken_once
            a_task_without_a_message_is_refused
            scopes_never_mix
            a_change_of_another_version_is_refused
            no_change_is_lost
            a_claim_lets_one_work
            ended_and_interrupted_tasks_do_not_claim
            of_many_claims_one_gets_the_turn
            everybody_gets_a_turn_in_order
            who_comes_back_waits_behind_the_others
            the_head_is_of_the_last_completed
            the_head_hangs_on_no_clock
            lists_are_in_order_and_filtered
            pages_are_whole_while_tasks_change
            pushes_are_kept_and_forgotten
            unserved_pushes_are_those_not_at_the_end
            unfinished_tasks_are_of_every_scope
            contexts_are_known_by_their_tasks
        }
    };
    ($index:expr; $($rule:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (_held, index) = $index.await;
                $crate::index::exam::$rule(index).await;
            }
        )*
    };
}
pub(super) use sit;

type Any = Arc<dyn Index>;

pub(super) fn mine() -> Scope {
    Scope::new("ann", "weather")
}

/// A task that waits, begun by a message of its own.
pub(super) fn task(scope: &Scope, context: &str) -> TaskRecord {
    let message = Message::new(Role::User, vec![Part::text("rain?")]);
    TaskRecord::new(scope.clone(), context, message, Vec::new())
}

fn begun_by(scope: &Scope, context: &str, message_id: &str) -> TaskRecord {
    let mut task = task(scope, context);
    task.turns[0].message.message_id = message_id.to_owned();
    task
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(millis).expect("a moment of this age")
}

fn since(state: TaskState, millis: i64) -> StatusRecord {
    StatusRecord { timestamp: at(millis), ..StatusRecord::new(state, None) }
}

pub(super) async fn kept(index: &dyn Index, task: TaskRecord) -> TaskRecord {
    assert_eq!(index.insert(&task).await.expect("kept"), Inserted::New);
    task
}

/// Changes a task as it is now, and gives it back as it is then.
pub(super) async fn change(
    index: &dyn Index,
    task: &TaskRecord,
    change: impl FnOnce(&mut TaskRecord),
) -> TaskRecord {
    let mut now = stored(index, task).await;
    change(&mut now);
    assert!(index.update(&now).await.expect("changed"), "nobody else changes it");
    stored(index, task).await
}

pub(super) async fn stored(index: &dyn Index, task: &TaskRecord) -> TaskRecord {
    index.task(&task.scope, &task.id).await.expect("read").expect("it is there")
}

async fn enter(index: &dyn Index, task: &TaskRecord, state: TaskState) -> TaskRecord {
    change(index, task, |task| task.status = StatusRecord::new(state, None)).await
}

pub(super) async fn complete(index: &dyn Index, task: &TaskRecord, handle: &str) -> TaskRecord {
    change(index, task, |task| {
        let turn = task.turns.last_mut().expect("a task has a turn");
        turn.handles.push(handle.to_owned());
        task.status = StatusRecord::new(TaskState::Completed, None);
    })
    .await
}

async fn gets(index: &dyn Index, task: &TaskRecord) -> (TaskRecord, Option<String>) {
    match index.claim(&task.scope, &task.id).await.expect("claimed") {
        Claim::Yes { task, head } => (*task, head),
        other => panic!("{other:?} instead of the turn"),
    }
}

async fn claimed(index: &dyn Index, task: &TaskRecord) -> Claim {
    index.claim(&task.scope, &task.id).await.expect("claimed")
}

fn ids(tasks: &[TaskRecord]) -> Vec<&str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

pub(super) fn push(task: &TaskRecord, id: &str) -> PushRecord {
    PushRecord {
        scope: task.scope.clone(),
        task_id: task.id.clone(),
        id: id.to_owned(),
        url: "https://there.example/hook".to_owned(),
        sealed: vec![0, 159, 146, 150],
        position: Position::default(),
    }
}

pub(super) fn position(turn: usize, updates: usize, ended: bool) -> Position {
    Position { turn, updates, ended }
}

pub(super) async fn what_is_kept_is_given_back(index: Any) {
    let mut rich = task(&mine(), "c");
    rich.turns[0].message.parts = vec![
        Part::text("a \u{0} and a \u{1f327}"),
        Part::raw(vec![0, 255]),
        Part::url("https://there.example/map"),
        Part::data(json!({"b": 1, "a": [null, 1.5, -3]})),
    ];
    rich.turns[0].accepted_output_modes = vec!["text/plain".to_owned()];
    rich.turns[0].handles = vec!["one".to_owned(), "two".to_owned()];
    let asked = Message::new(Role::Agent, vec![Part::text("where?")]);
    rich.turns[0].outcome = Some(StatusRecord::new(TaskState::InputRequired, Some(asked)));
    rich.metadata = Some([("k".to_owned(), json!(["v"]))].into());
    rich.status.metadata = Some([("usage".to_owned(), json!(7))].into());
    rich.cancelling = true;
    rich.version = 4;

    let rich = kept(&*index, rich).await;
    assert_eq!(stored(&*index, &rich).await, rich);
    assert_eq!(index.task(&mine(), "another").await.unwrap(), None);
}

pub(super) async fn a_message_begins_one_task(index: Any) {
    let first = kept(&*index, begun_by(&mine(), "c", "m")).await;
    let changed = enter(&*index, &first, TaskState::Failed).await;

    let again = index.insert(&begun_by(&mine(), "another", "m")).await.unwrap();
    assert_eq!(again, Inserted::Known(Box::new(changed.clone())), "the task as it is now");
    // Not even the very same task is kept twice.
    assert_eq!(index.insert(&first).await.unwrap(), Inserted::Known(Box::new(changed)));
    let all = index.list(&mine(), &Query { limit: 9, ..Query::default() }).await.unwrap();
    assert_eq!(ids(&all.tasks), [first.id.as_str()]);
    assert!(!index.knows_context(&mine(), "another").await.unwrap());
}

pub(super) async fn a_repeatable_message_begins_many_tasks(index: Any) {
    let repeatable = || TaskRecord { repeatable: true, ..begun_by(&mine(), "c", "m") };
    let first = kept(&*index, repeatable()).await;
    let second = kept(&*index, repeatable()).await;
    assert_eq!(index.insert(&first).await.unwrap(), Inserted::Known(Box::new(first.clone())));
    change(&*index, &second, |task| task.cancelling = true).await;
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [first.id, second.id]);
    let strict = kept(&*index, begun_by(&mine(), "c", "m")).await;
    let again = index.insert(&begun_by(&mine(), "c", "m")).await.unwrap();
    assert_eq!(again, Inserted::Known(Box::new(strict)));
}

pub(super) async fn a_message_sent_at_once_begins_one_task(index: Any) {
    let sends = (0..50).map(|_| {
        let (index, task) = (Arc::clone(&index), begun_by(&mine(), "c", "m"));
        tokio::spawn(async move { (index.insert(&task).await.unwrap(), task.id) })
    });
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for sent in join_all(sends).await {
        match sent.unwrap() {
            (Inserted::New, id) => new.push(id),
            (Inserted::Known(task), _) => known.push(task.id),
        }
    }
    assert_eq!((new.len(), known.len()), (1, 49));
    assert!(known.iter().all(|id| *id == new[0]), "all are told of the one that was kept");
    assert_eq!(index.unfinished().await.unwrap().len(), 1);
}

pub(super) async fn messages_of_later_turns_begin_nothing(index: Any) {
    let first = kept(&*index, begun_by(&mine(), "c", "one")).await;
    let later = begun_by(&mine(), "c", "two");
    change(&*index, &first, |task| task.turns.push(later.turns[0].clone())).await;
    kept(&*index, later).await;
}

pub(super) async fn an_id_is_taken_once(index: Any) {
    let first = kept(&*index, begun_by(&mine(), "c", "one")).await;
    let mut other = begun_by(&mine(), "d", "two");
    other.id.clone_from(&first.id);
    let refused = index.insert(&other).await.unwrap_err().to_string();
    assert!(refused.contains(&first.id) && refused.contains("already"), "{refused}");
    assert_eq!(stored(&*index, &first).await, first);
    // Nothing is left of it: its message begins a task of its own.
    kept(&*index, begun_by(&mine(), "d", "two")).await;
}

pub(super) async fn a_task_without_a_message_is_refused(index: Any) {
    let mut silent = task(&mine(), "c");
    silent.turns.clear();
    let refused = index.insert(&silent).await.unwrap_err().to_string();
    assert!(refused.contains(&silent.id), "{refused}");
    let spoken = kept(&*index, task(&mine(), "c")).await;
    let mut silenced = spoken.clone();
    silenced.turns.clear();
    index.update(&silenced).await.unwrap_err();
    assert_eq!(stored(&*index, &spoken).await, spoken);
}

pub(super) async fn scopes_never_mix(index: Any) {
    // Joined without a mark in between, all but one are the same.
    let scopes = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("AB", "c"), ("ab", "C")]
        .map(|(owner, agent)| Scope::new(owner, agent));
    let mut tasks = Vec::new();
    for (number, scope) in scopes.iter().enumerate() {
        let mut task = begun_by(scope, "conversation", "message");
        "task".clone_into(&mut task.id);
        task.metadata = Some([("number".to_owned(), json!(number))].into());
        tasks.push(kept(&*index, task).await);
        index.put_push(&push(&tasks[number], &format!("push {number}"))).await.unwrap();
    }
    for (number, task) in tasks.iter().enumerate() {
        let scope = &task.scope;
        assert_eq!(stored(&*index, task).await, *task);
        assert_eq!(index.waiting(scope, "conversation").await.unwrap(), ["task"]);
        let all = Query { limit: 9, ..Query::default() };
        let page = index.list(scope, &all).await.unwrap();
        assert_eq!((page.tasks, page.total, page.more), (vec![task.clone()], 1, false));
        let known = index.insert(&begun_by(scope, "conversation", "message")).await.unwrap();
        assert_eq!(known, Inserted::Known(Box::new(task.clone())));
        let pushes = index.pushes(scope, "task").await.unwrap();
        assert_eq!(pushes, [push(task, &format!("push {number}"))]);
        assert!(!index.delete_push(scope, "task", "push 9").await.unwrap());
        // The others' pushes are not there.
        let next = format!("push {}", (number + 1) % scopes.len());
        index.push_served(scope, "task", &next, position(7, 7, true)).await.unwrap();
        assert!(!index.delete_push(scope, "task", &next).await.unwrap());
    }
    for task in &tasks {
        assert_eq!(gets(&*index, task).await.1, None, "all may work at once");
    }
    for (number, task) in tasks.iter().enumerate() {
        complete(&*index, task, &format!("handle {number}")).await;
    }
    for (number, task) in tasks.iter().enumerate() {
        let later = kept(&*index, begun_by(&task.scope, "conversation", "later")).await;
        assert_eq!(gets(&*index, &later).await.1, Some(format!("handle {number}")));
    }
    for task in &tasks {
        assert!(index.pushes(&task.scope, "task").await.unwrap()[0].position.updates == 0);
    }
    let stranger = Scope::new("a", "b");
    assert_eq!(index.task(&stranger, "task").await.unwrap(), None);
    assert_eq!(index.claim(&stranger, "task").await.unwrap(), Claim::No);
    assert!(!index.knows_context(&stranger, "conversation").await.unwrap());
    assert!(index.waiting(&stranger, "conversation").await.unwrap().is_empty());
    assert!(index.pushes(&stranger, "task").await.unwrap().is_empty());
    let stolen = TaskRecord { scope: stranger.clone(), ..stored(&*index, &tasks[0]).await };
    assert!(!index.update(&stolen).await.unwrap());
    let none = index.list(&stranger, &Query { limit: 9, ..Query::default() }).await.unwrap();
    assert_eq!((none.tasks, none.total), (Vec::new(), 0));
}

pub(super) async fn a_change_of_another_version_is_refused(index: Any) {
    let first = kept(&*index, task(&mine(), "c")).await;
    let mut changed = first.clone();
    changed.cancelling = true;
    assert!(index.update(&changed).await.unwrap());
    let expected = TaskRecord { version: first.version + 1, ..changed };
    assert_eq!(stored(&*index, &first).await, expected);

    for version in [first.version, first.version + 2] {
        let stale = TaskRecord { version, ..first.clone() };
        assert!(!index.update(&stale).await.unwrap(), "version {version}");
    }
    assert_eq!(stored(&*index, &first).await, expected);
    assert!(!index.update(&task(&mine(), "c")).await.unwrap(), "it was never kept");

    let rivals = (0..20).map(|_| {
        let (index, mine) = (Arc::clone(&index), expected.clone());
        tokio::spawn(async move { index.update(&mine).await.unwrap() })
    });
    let won = join_all(rivals).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    assert_eq!(stored(&*index, &first).await.version, expected.version + 1);
}

pub(super) async fn no_change_is_lost(index: Any) {
    let first = kept(&*index, task(&mine(), "c")).await;
    let writers = (0..8).map(|writer| {
        let (index, first) = (Arc::clone(&index), first.clone());
        tokio::spawn(async move {
            for number in 0..10 {
                loop {
                    let mut now = stored(&*index, &first).await;
                    now.turns[0].handles.push(format!("{writer}.{number}"));
                    if index.update(&now).await.unwrap() {
                        break;
                    }
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let last = stored(&*index, &first).await;
    let mut handles = last.turns[0].handles.clone();
    handles.sort();
    handles.dedup();
    assert_eq!((handles.len(), last.version), (80, first.version + 80));
}

pub(super) async fn a_claim_lets_one_work(index: Any) {
    let one = kept(&*index, task(&mine(), "c")).await;
    let two = kept(&*index, task(&mine(), "c")).await;
    let apart = kept(&*index, task(&mine(), "d")).await;
    assert_eq!(index.claim(&mine(), "another").await.unwrap(), Claim::No);
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [one.id.as_str(), &two.id]);

    assert_eq!(claimed(&*index, &two).await, Claim::Wait, "the other has waited for longer");
    assert_eq!(stored(&*index, &two).await, two, "waiting changes nothing");
    let (working, head) = gets(&*index, &one).await;
    assert_eq!((&working.status.state, head), (&TaskState::Working, None));
    assert_eq!(working.version, one.version + 1);
    assert!(working.status.timestamp >= one.status.timestamp);
    assert_eq!(working.turns, one.turns);
    assert_eq!(stored(&*index, &one).await, working);

    assert_eq!(gets(&*index, &one).await, (working.clone(), None), "it keeps what it has");
    assert_eq!(stored(&*index, &one).await, working);
    assert_eq!(claimed(&*index, &two).await, Claim::Wait);
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [two.id.as_str()]);
    gets(&*index, &apart).await;

    // Who waits for a person is in nobody's way.
    enter(&*index, &one, TaskState::InputRequired).await;
    gets(&*index, &two).await;
    assert!(index.waiting(&mine(), "c").await.unwrap().is_empty());
    let old = TaskRecord { cancelling: true, ..two };
    assert!(!index.update(&old).await.unwrap(), "a claim is a change");
}

pub(super) async fn ended_and_interrupted_tasks_do_not_claim(index: Any) {
    for state in [
        TaskState::Completed,
        TaskState::Failed,
        TaskState::Canceled,
        TaskState::Rejected,
        TaskState::InputRequired,
        TaskState::AuthRequired,
        TaskState::Unspecified,
    ] {
        let ended = kept(&*index, task(&mine(), "c")).await;
        let ended = enter(&*index, &ended, state).await;
        assert_eq!(claimed(&*index, &ended).await, Claim::No, "{:?}", ended.status.state);
        assert_eq!(stored(&*index, &ended).await, ended);
    }
}

pub(super) async fn of_many_claims_one_gets_the_turn(index: Any) {
    one_of_many_gets_the_turn(&[index]).await;
}

/// 50 tasks of a conversation claim at once, at any of these doors to the same index.
pub(super) async fn one_of_many_gets_the_turn(doors: &[Any]) {
    let mut tasks = Vec::new();
    for _ in 0..50 {
        tasks.push(kept(&*doors[0], task(&mine(), "c")).await);
    }
    let claims = tasks.iter().rev().enumerate().map(|(number, task)| {
        let (index, task) = (Arc::clone(&doors[number % doors.len()]), task.clone());
        tokio::spawn(async move { (claimed(&*index, &task).await, task.id) })
    });
    let mut turns = Vec::new();
    for claim in join_all(claims).await {
        match claim.unwrap() {
            (Claim::Yes { task, .. }, id) => {
                assert_eq!(task.id, id);
                turns.push(id);
            }
            (claim, _) => assert_eq!(claim, Claim::Wait),
        }
    }
    assert_eq!(turns, [tasks[0].id.as_str()], "the one that has waited longest");
    let working = Query { state: Some(TaskState::Working), limit: 99, ..Query::default() };
    assert_eq!(doors[0].list(&mine(), &working).await.unwrap().total, 1);
}

pub(super) async fn everybody_gets_a_turn_in_order(index: Any) {
    let mut tasks = Vec::new();
    for _ in 0..12 {
        tasks.push(kept(&*index, task(&mine(), "c")).await);
    }
    let works = tasks.iter().rev().map(|task| {
        let (index, task) = (Arc::clone(&index), task.clone());
        tokio::spawn(async move {
            loop {
                match claimed(&*index, &task).await {
                    Claim::Yes { task, head } => {
                        complete(&*index, &task, &task.id).await;
                        return (task.id.clone(), head);
                    }
                    Claim::Wait => tokio::task::yield_now().await,
                    Claim::No => panic!("it has not ended"),
                }
            }
        })
    });
    let heads: BTreeMap<_, _> =
        join_all(works).await.into_iter().map(|worked| worked.unwrap()).collect();
    let mut head = None;
    for task in &tasks {
        assert_eq!(heads[&task.id], head, "each goes on from the one before");
        head = Some(task.id.clone());
    }
}

pub(super) async fn who_comes_back_waits_behind_the_others(index: Any) {
    let asked = kept(&*index, task(&mine(), "c")).await;
    gets(&*index, &asked).await;
    let others = [kept(&*index, task(&mine(), "c")).await, kept(&*index, task(&mine(), "c")).await];
    enter(&*index, &asked, TaskState::InputRequired).await;
    gets(&*index, &others[0]).await;
    let answer = task(&mine(), "c").turns.remove(0);
    let answered = change(&*index, &asked, |task| {
        task.turns.push(answer);
        // A clock that went back does not let it pass the others.
        task.status = since(TaskState::Submitted, 1);
    })
    .await;
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [others[1].id.as_str(), &asked.id]);
    // What changes while it waits does not cost its place.
    change(&*index, &others[1], |task| task.cancelling = true).await;
    assert_eq!(index.waiting(&mine(), "c").await.unwrap(), [others[1].id.as_str(), &asked.id]);
    complete(&*index, &others[0], "h").await;
    assert_eq!(claimed(&*index, &answered).await, Claim::Wait);
    gets(&*index, &others[1]).await;
    complete(&*index, &others[1], "i").await;
    assert_eq!(gets(&*index, &answered).await.1.as_deref(), Some("i"));
}

pub(super) async fn the_head_is_of_the_last_completed(index: Any) {
    let next = async |context: &str| {
        let task = kept(&*index, task(&mine(), context)).await;
        let (task, head) = gets(&*index, &task).await;
        (task, head)
    };
    let (one, head) = next("c").await;
    assert_eq!(head, None);
    complete(&*index, &one, "one").await;
    let (two, head) = next("c").await;
    assert_eq!(head.as_deref(), Some("one"));
    // The last handle of all turns is the head, and a turn without work does not hide it.
    change(&*index, &two, |task| {
        let turn = |handles: &[&str]| TurnRecord {
            handles: handles.iter().map(ToString::to_string).collect(),
            ..TurnRecord::new(task.turns[0].message.clone(), Vec::new())
        };
        task.turns = vec![turn(&["two"]), turn(&["two again", "two at last"]), turn(&[])];
        task.status = StatusRecord::new(TaskState::Completed, None);
    })
    .await;
    for state in [TaskState::Failed, TaskState::Canceled, TaskState::Rejected] {
        let (other, head) = next("c").await;
        assert_eq!(head.as_deref(), Some("two at last"), "before {state:?}");
        change(&*index, &other, |task| {
            task.turns[0].handles.push("in vain".to_owned());
            task.status = StatusRecord::new(state, None);
        })
        .await;
    }
    let (elsewhere, head) = next("d").await;
    assert_eq!(head, None);
    complete(&*index, &elsewhere, "elsewhere").await;
    assert_eq!(next("c").await.1.as_deref(), Some("two at last"));
}

pub(super) async fn the_head_hangs_on_no_clock(index: Any) {
    // The ids are in an order of their own too.
    for (number, (id, millis)) in [("b", 9_000), ("c", 5_000), ("a", 5_000)].into_iter().enumerate()
    {
        let mut task = task(&mine(), "c");
        id.clone_into(&mut task.id);
        let (task, _) = gets(&*index, &kept(&*index, task).await).await;
        change(&*index, &task, |task| {
            task.turns[0].handles.push(format!("work {number}"));
            task.status = since(TaskState::Completed, millis);
        })
        .await;
    }
    // A word added to what is over does not complete it again.
    let over = index.task(&mine(), "b").await.unwrap().unwrap();
    change(&*index, &over, |task| {
        task.metadata = Some([("seen".to_owned(), json!(true))].into());
        task.status.timestamp = at(99_000);
    })
    .await;
    let last = kept(&*index, task(&mine(), "c")).await;
    assert_eq!(gets(&*index, &last).await.1.as_deref(), Some("work 2"));
}

pub(super) async fn lists_are_in_order_and_filtered(index: Any) {
    for (id, context, state, millis) in [
        ("t1", "c", TaskState::Completed, 1_000),
        ("t2", "c", TaskState::Failed, 3_000),
        ("t3", "d", TaskState::Completed, 2_000),
        ("t5", "d", TaskState::Completed, 3_000),
        ("t4", "c", TaskState::Completed, 3_000),
        // A part of a millisecond is not told to anybody, so it does not count.
        ("t0", "c", TaskState::Completed, 3_000),
    ] {
        let mut task = task(&mine(), context);
        id.clone_into(&mut task.id);
        task.status = since(state, millis);
        if id == "t0" {
            task.status.timestamp += chrono::Duration::nanoseconds(999);
        }
        kept(&*index, task).await;
    }
    let listed = async |query: Query| {
        let page = index.list(&mine(), &query).await.unwrap();
        (ids(&page.tasks).join(" "), page.total, page.more)
    };
    let all = Query { limit: 9, ..Query::default() };
    let is = |ids: &str, total, more| (ids.to_owned(), total, more);
    assert_eq!(listed(all.clone()).await, is("t5 t4 t2 t0 t3 t1", 6, false));
    assert_eq!(listed(Query { limit: usize::MAX, ..all.clone() }).await.1, 6);
    assert!(!listed(Query { limit: 6, ..all.clone() }).await.2);
    assert_eq!(listed(Query { limit: 2, ..all.clone() }).await, is("t5 t4", 6, true));
    assert_eq!(listed(Query { limit: 0, ..all.clone() }).await, is("", 6, true));

    let of_context = Query { context_id: Some("c".to_owned()), ..all.clone() };
    assert_eq!(listed(of_context.clone()).await, is("t4 t2 t0 t1", 4, false));
    let completed = Query { state: Some(TaskState::Completed), ..all.clone() };
    assert_eq!(listed(completed.clone()).await, is("t5 t4 t0 t3 t1", 5, false));
    let both = Query { state: Some(TaskState::Completed), ..of_context };
    assert_eq!(listed(both.clone()).await, is("t4 t0 t1", 3, false));
    assert_eq!(
        listed(Query { context_id: Some("e".into()), ..all.clone() }).await,
        is("", 0, false)
    );
    let from = |moment| Query { changed_since: Some(moment), ..all.clone() };
    assert_eq!(listed(from(at(2_000))).await, is("t5 t4 t2 t0 t3", 5, false));
    let between = at(2_000) + chrono::Duration::nanoseconds(1);
    assert_eq!(listed(from(between)).await, is("t5 t4 t2 t0", 4, false));
    assert_eq!(listed(from(at(3_001))).await, is("", 0, false));

    // The total is that of every page.
    let after = |millis, id: &str, query: &Query| Query {
        after: Some((at(millis), id.to_owned())),
        limit: 2,
        ..query.clone()
    };
    assert_eq!(listed(after(3_000, "t4", &all)).await, is("t2 t0", 6, true));
    assert_eq!(listed(after(3_000, "t0", &all)).await, is("t3 t1", 6, false));
    assert_eq!(listed(after(1_000, "t1", &all)).await, is("", 6, false));
    assert_eq!(listed(after(3_000, "t3", &both)).await, is("t0 t1", 3, false));
    let recent = from(at(2_000));
    assert_eq!(listed(after(3_000, "t2", &recent)).await, is("t0 t3", 5, false));
}

pub(super) async fn pages_are_whole_while_tasks_change(index: Any) {
    let mut tasks = Vec::new();
    for number in 0..60 {
        let mut task = task(&mine(), "c");
        // Many share a millisecond, so that pages break between equals.
        task.status = since(TaskState::Submitted, 1_000 + number / 10);
        tasks.push(kept(&*index, task).await);
    }
    let moving: Vec<_> = tasks.iter().step_by(3).cloned().collect();
    let (begin, begun) = tokio::sync::oneshot::channel::<()>();
    let mover = {
        let (index, moving) = (Arc::clone(&index), moving.clone());
        tokio::spawn(async move {
            begun.await.unwrap();
            for task in moving {
                enter(&*index, &task, TaskState::Failed).await;
                kept(&*index, self::task(&mine(), "c")).await;
            }
        })
    };
    let mut begin = Some(begin);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut query = Query { limit: 7, ..Query::default() };
    loop {
        let page = index.list(&mine(), &query).await.unwrap();
        for task in &page.tasks {
            *seen.entry(task.id.clone()).or_default() += 1;
        }
        begin.take().map(|begin| begin.send(()));
        if !page.more {
            break;
        }
        let last = page.tasks.last().expect("more than none");
        query.after = Some((last.status.timestamp, last.id.clone()));
        tokio::task::yield_now().await;
    }
    mover.await.unwrap();
    assert!(seen.values().all(|times| *times == 1), "no task is seen twice");
    for still in tasks.iter().filter(|task| !moving.iter().any(|moved| moved.id == task.id)) {
        assert!(seen.contains_key(&still.id), "{} was left out", still.id);
    }
}

pub(super) async fn pushes_are_kept_and_forgotten(index: Any) {
    let one = kept(&*index, task(&mine(), "c")).await;
    let two = kept(&*index, task(&mine(), "c")).await;
    for (task, id) in [(&one, "b"), (&one, "a"), (&two, "a")] {
        index.put_push(&push(task, id)).await.unwrap();
    }
    assert_eq!(index.pushes(&mine(), &one.id).await.unwrap(), [push(&one, "a"), push(&one, "b")]);

    let place = position(1, 12, false);
    index.push_served(&mine(), &one.id, "a", place).await.unwrap();
    let served = PushRecord { position: place, ..push(&one, "a") };
    assert_eq!(index.pushes(&mine(), &one.id).await.unwrap(), [served, push(&one, "b")]);
    let ended = PushRecord { position: position(2, 0, true), ..push(&one, "b") };
    index.push_served(&mine(), &one.id, "b", ended.position).await.unwrap();

    let mut other = push(&one, "a");
    other.url = "https://elsewhere.example".to_owned();
    other.sealed = Vec::new();
    index.put_push(&other).await.unwrap();
    let expected = [other, ended];
    assert_eq!(index.pushes(&mine(), &one.id).await.unwrap(), expected, "replaced as a whole");

    assert!(index.delete_push(&mine(), &one.id, "a").await.unwrap());
    assert!(!index.delete_push(&mine(), &one.id, "a").await.unwrap());
    index.push_served(&mine(), &one.id, "a", place).await.unwrap();
    assert_eq!(index.pushes(&mine(), &one.id).await.unwrap(), expected[1..]);
    assert_eq!(index.pushes(&mine(), &two.id).await.unwrap(), [push(&two, "a")]);
}

pub(super) async fn unserved_pushes_are_those_not_at_the_end(index: Any) {
    let unserved = async || {
        let mut found = index.unserved_pushes().await.unwrap();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found.into_iter().map(|push| push.id).collect::<Vec<_>>().join(" ")
    };
    let one = kept(&*index, task(&mine(), "c")).await;
    let two = kept(&*index, task(&Scope::new("bob", "weather"), "c")).await;
    index.put_push(&push(&one, "a")).await.unwrap();
    index.put_push(&push(&one, "b")).await.unwrap();
    index.put_push(&push(&two, "c")).await.unwrap();
    assert_eq!(unserved().await, "a b c", "of every scope");

    let served = async |task: &TaskRecord, id: &str, place| {
        index.push_served(&task.scope, &task.id, id, place).await.unwrap();
    };
    served(&one, "a", position(0, 3, true)).await;
    assert_eq!(unserved().await, "a b c", "there may be another turn");
    enter(&*index, &one, TaskState::InputRequired).await;
    assert_eq!(unserved().await, "a b c", "there may still be another turn");
    enter(&*index, &one, TaskState::Completed).await;
    assert_eq!(unserved().await, "b c");
    served(&one, "b", position(0, 3, false)).await;
    assert_eq!(unserved().await, "b c", "not to the end of the turn");
    served(&one, "b", position(0, 3, true)).await;
    assert_eq!(unserved().await, "c");
    let turn = one.turns[0].clone();
    change(&*index, &two, |task| task.turns.push(turn)).await;
    enter(&*index, &two, TaskState::Canceled).await;
    served(&two, "c", position(0, 3, true)).await;
    assert_eq!(unserved().await, "c", "not to the end of the last turn");
    served(&two, "c", position(1, 0, true)).await;
    assert_eq!(unserved().await, "");
    index.put_push(&push(&two, "c")).await.unwrap();
    assert_eq!(unserved().await, "c", "put anew, it has heard nothing");
}

pub(super) async fn unfinished_tasks_are_of_every_scope(index: Any) {
    let mut expected = Vec::new();
    for owner in ["ann", "bob"] {
        for state in [
            TaskState::Submitted,
            TaskState::Working,
            TaskState::Completed,
            TaskState::Failed,
            TaskState::Canceled,
            TaskState::Rejected,
            TaskState::InputRequired,
            TaskState::AuthRequired,
        ] {
            let task = kept(&*index, task(&Scope::new(owner, "weather"), "c")).await;
            let task = enter(&*index, &task, state).await;
            if matches!(task.status.state, TaskState::Submitted | TaskState::Working) {
                expected.push(task);
            }
        }
    }
    let by_id = |one: &TaskRecord, other: &TaskRecord| one.id.cmp(&other.id);
    let mut found = index.unfinished().await.unwrap();
    found.sort_by(by_id);
    expected.sort_by(by_id);
    assert_eq!(found, expected);
    for task in &expected {
        enter(&*index, task, TaskState::Completed).await;
    }
    assert!(index.unfinished().await.unwrap().is_empty());
}

pub(super) async fn contexts_are_known_by_their_tasks(index: Any) {
    assert!(!index.knows_context(&mine(), "c").await.unwrap());
    let only = kept(&*index, task(&mine(), "c")).await;
    assert!(index.knows_context(&mine(), "c").await.unwrap());
    enter(&*index, &only, TaskState::Failed).await;
    assert!(index.knows_context(&mine(), "c").await.unwrap(), "also when all have ended");
    assert!(!index.knows_context(&mine(), "C").await.unwrap());
}
