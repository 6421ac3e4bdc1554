//! Feature `store`: what the server asks of a store, whatever database is behind it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use interactions_server::store::Beat;
use interactions_server::store::{
    AgentRecord, Busy, Chunk, Delivery, Ending, KeyRecord, LabelFilter, Lease, LoggedEvent,
    NewDelivery, NewInteraction, Page, Progress, SigningKeyRecord, Store, StoreError,
    StoreErrorKind, WebhookRecord, patience_after,
};
use interactions_types::{
    Agent, CreateInteraction, Status, Step, Usage, WebhookEventType, WebhookState,
};

use super::{Report, ensure};

const MINUTE: Duration = Duration::from_secs(60);

type Outcome = Result<(), String>;
type Shared = Arc<dyn Store>;

/// Examines a store; `open` gives an empty one for every rule.
///
/// The rules are what the engine relies on: fences, leases, tenants, and nothing half done. They
/// take less than a second beside the store's own time.
pub async fn store(open: impl AsyncFn() -> Shared) -> Report {
    let mut report = Report::default();
    macro_rules! rules {
        ($($rule:literal => $check:path;)*) => {
            $(
                let store = open().await;
                report.note($rule, $check(Arc::clone(&store)).await);
                store.close().await;
            )*
        };
    }
    rules! {
        "a run is kept with its events and its end" => keeps_a_run;
        "a run that is over when it is stored is stored whole" => keeps_a_quick_run;
        "tenants see nothing of each other" => scopes_tenants;
        "only who holds the lease can write" => fences_writers;
        "a lease that ran out is taken by one runner" => hands_over;
        "who is told to stop hears of it with its heartbeat" => passes_on_cancelling;
        "leases that are given up are taken at once, and are no crash" => releases;
        "runs that keep killing their runners wait" => slows_down;
        "progress outlives the runner" => keeps_progress;
        "what is erased is gone, and its place in the tree stays" => erases;
        "a conversation is read from its root, and says what is missing" => reads_chains;
        "lists are newest first, page by page, and filtered" => lists;
        "interactions go when their time is over, unless they run" => expires;
        "keys are kept by what they hash to" => keeps_keys;
        "agents are kept by tenant and id" => keeps_agents;
        "webhooks are kept, changed and counted as enabled" => keeps_webhooks;
        "what is to be told is stored with the ending, and delivered by one" => keeps_deliveries;
        "the first signing key stays" => keeps_signing_keys;
    }
    report
}

fn told<T>(result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| format!("{:?}: {error}", error.kind()))
}

fn same<T: PartialEq + Debug>(seen: &T, wanted: &T) -> Outcome {
    ensure(seen == wanted, || format!("{seen:?} instead of {wanted:?}"))
}

fn fenced(result: &Result<(), StoreError>) -> Outcome {
    let is_fenced = matches!(result, Err(error) if error.kind() == StoreErrorKind::Fenced);
    ensure(is_fenced, || format!("{result:?} instead of a fence"))
}

fn new(id: &str, request: CreateInteraction, created: i64, lease_for: Duration) -> NewInteraction {
    let lease = Lease::new(id.into(), "me".to_owned(), 1);
    let input = vec![Step::user_text(id)];
    NewInteraction::new(lease, "t".to_owned(), request, input, created, lease_for)
}

fn request() -> CreateInteraction {
    CreateInteraction::new("m", "x")
}

async fn run(store: &Shared, id: &str, created: i64) -> Result<Lease, String> {
    let new = new(id, request(), created, MINUTE);
    told(store.insert(&new, None, None).await)?;
    Ok(new.lease)
}

/// A run whose runner has gone.
async fn orphan(store: &Shared, id: &str) -> Result<Lease, String> {
    let new = new(id, request(), 1, Duration::ZERO);
    told(store.insert(&new, None, None).await)?;
    tokio::time::sleep(Duration::from_millis(3)).await;
    Ok(new.lease)
}

fn chunk(first: u64, count: u64) -> Chunk {
    let event = |seq| LoggedEvent::new("step.stop", format!("{{\"seq\":{seq}}}"));
    Chunk::new(first, (first..first + count).map(event).collect())
}

fn ending(status: Status) -> Ending {
    Ending::new(status, vec![Step::model_text("done")], 9)
}

async fn events(store: &Shared, id: &str, after: u64) -> Result<Vec<String>, String> {
    let chunks = told(store.events_after(&id.into(), after, 100).await)?;
    let mut events = Vec::new();
    for chunk in chunks {
        let skipped = usize::try_from((after + 1).saturating_sub(chunk.first_seq)).unwrap_or(0);
        events.extend(chunk.events.into_iter().skip(skipped).map(|event| event.json));
    }
    Ok(events)
}

async fn keeps_a_run(store: Shared) -> Outcome {
    let lease = run(&store, "a", 5).await?;
    told(store.append(&lease, &chunk(1, 3), None).await)?;
    let running = told(store.load("t", &"a".into()).await)?.ok_or("it is not there")?;
    same(&(running.status, running.last_seq, running.created), &(Status::InProgress, 3, 5))?;
    same(&running.input, &vec![Step::user_text("a")])?;
    told(store.finish(&lease, Some(&chunk(4, 1)), &ending(Status::Completed)).await)?;
    let ended = told(store.load("t", &"a".into()).await)?.ok_or("it is not there")?;
    same(&(ended.status, ended.last_seq, ended.updated), &(Status::Completed, 4, 9))?;
    same(&ended.output, &vec![Step::model_text("done")])?;
    same(&told(store.status("t", &"a".into()).await)?, &Some(Status::Completed))?;
    let wanted: Vec<_> = (2..=4).map(|seq| format!("{{\"seq\":{seq}}}")).collect();
    same(&events(&store, "a", 1).await?, &wanted)?;
    told(store.ping().await)
}

async fn keeps_a_quick_run(store: Shared) -> Outcome {
    let new = new("a", request(), 5, MINUTE);
    told(store.insert(&new, Some(&chunk(1, 2)), Some(&ending(Status::Failed))).await)?;
    let ended = told(store.load("t", &"a".into()).await)?.ok_or("it is not there")?;
    same(&(ended.status, ended.last_seq, ended.updated), &(Status::Failed, 2, 9))?;
    same(&told(store.claim("other", MINUTE, &[], 9).await)?.len(), &0)?;
    fenced(&store.append(&new.lease, &chunk(3, 1), None).await)
}

async fn scopes_tenants(store: Shared) -> Outcome {
    run(&store, "a", 1).await?;
    let id = "a".into();
    same(&told(store.load("other", &id).await)?, &None)?;
    same(&told(store.status("other", &id).await)?, &None)?;
    same(&told(store.request_cancel("other", &id).await)?, &false)?;
    same(&told(store.erase("other", &id, 1).await)?, &false)?;
    same(&told(store.list("other", &Page::of(9)).await)?.len(), &0)?;
    same(&told(store.chain("other", &id, 9).await)?.turns.len(), &0)
}

async fn fences_writers(store: Shared) -> Outcome {
    let old = orphan(&store, "a").await?;
    let claimed = told(store.claim("other", MINUTE, &[], 9).await)?;
    let mine = claimed.first().ok_or("nothing was claimed")?.lease.clone();
    same(&(mine.owner.as_str(), mine.attempt), &("other", 2))?;
    fenced(&store.append(&old, &chunk(1, 1), None).await)?;
    fenced(&store.finish(&old, Some(&chunk(1, 1)), &ending(Status::Completed)).await)?;
    same(
        &told(store.heartbeat(std::slice::from_ref(&old), MINUTE).await)?,
        &vec![(old, Beat::Lost)],
    )?;
    same(&events(&store, "a", 0).await?.len(), &0)?;
    told(store.append(&mine, &chunk(1, 1), None).await)?;
    told(store.finish(&mine, None, &ending(Status::Completed)).await)?;
    fenced(&store.append(&mine, &chunk(2, 1), None).await)?;
    fenced(&store.finish(&mine, None, &ending(Status::Failed)).await)
}

async fn hands_over(store: Shared) -> Outcome {
    orphan(&store, "a").await?;
    run(&store, "held", 1).await?;
    let mine = ["a".into()];
    same(&told(store.claim("me", MINUTE, &mine, 9).await)?.len(), &0)?;
    let (one, other) =
        futures::join!(store.claim("one", MINUTE, &[], 9), store.claim("two", MINUTE, &[], 9));
    let claims: Vec<_> = told(one)?.into_iter().chain(told(other)?).collect();
    same(&claims.iter().map(|claim| claim.lease.id.as_str()).collect::<Vec<_>>(), &vec!["a"])?;
    let claim = &claims[0];
    same(&(claim.tenant.as_str(), claim.crashes), &("t", 1))?;
    ensure(claim.record.is_ok(), || format!("{:?}", claim.record))
}

async fn passes_on_cancelling(store: Shared) -> Outcome {
    let lease = run(&store, "a", 1).await?;
    let leases = [lease.clone()];
    same(&told(store.heartbeat(&leases, MINUTE).await)?, &vec![(lease.clone(), Beat::Held)])?;
    same(&told(store.request_cancel("t", &"a".into()).await)?, &true)?;
    same(&told(store.heartbeat(&leases, MINUTE).await)?, &vec![(lease.clone(), Beat::Cancel)])?;
    told(store.finish(&lease, None, &ending(Status::Cancelled)).await)?;
    same(&told(store.request_cancel("t", &"a".into()).await)?, &false)
}

async fn releases(store: Shared) -> Outcome {
    let lease = run(&store, "a", 1).await?;
    told(store.release("me").await)?;
    let claimed = told(store.claim("other", MINUTE, &[], 9).await)?;
    let claim = claimed.first().ok_or("nothing was claimed")?;
    same(&claim.crashes, &0)?;
    fenced(&store.append(&lease, &chunk(1, 1), None).await)?;
    told(store.hand_back(&claim.lease).await)?;
    let again = told(store.claim("third", MINUTE, &[], 9).await)?;
    same(&again.first().map(|claim| (claim.lease.attempt, claim.crashes)), &Some((3, 0)))
}

async fn slows_down(store: Shared) -> Outcome {
    orphan(&store, "a").await?;
    let mut crashes = 0;
    while patience_after(crashes) == 0 {
        let claimed = told(store.claim("doomed", Duration::ZERO, &[], 9).await)?;
        let claim = claimed.first().ok_or_else(|| format!("waits after {crashes} crashes"))?;
        crashes = claim.crashes;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    same(&told(store.claim("careful", MINUTE, &[], 9).await)?.len(), &0)
}

async fn keeps_progress(store: Shared) -> Outcome {
    let new = new("a", request(), 1, MINUTE);
    told(store.insert(&new, Some(&chunk(1, 1)), None).await)?;
    let usage = Usage::new().total_tokens(7);
    let progress =
        Progress::new(Some(usage.clone()), Vec::new()).attached(Some("there".to_owned()));
    told(store.append(&new.lease, &chunk(2, 1), Some(&progress)).await)?;
    told(store.append(&new.lease, &chunk(3, 1), None).await)?;
    told(store.release("me").await)?;
    let mut claimed = told(store.claim("other", MINUTE, &[], 9).await)?;
    let claim = claimed.pop().ok_or("nothing was claimed")?;
    same(&claim.attachment.as_deref(), &Some("there"))?;
    same(&told(claim.record)?.usage, &Some(usage))
}

async fn erases(store: Shared) -> Outcome {
    let lease = run(&store, "a", 1).await?;
    told(store.append(&lease, &chunk(1, 2), None).await)?;
    same(&told(store.erase("t", &"a".into(), 5).await)?, &true)?;
    same(&told(store.erase("t", &"a".into(), 5).await)?, &false)?;
    same(&told(store.status("t", &"a".into()).await)?, &None)?;
    same(&events(&store, "a", 0).await?.len(), &0)?;
    fenced(&store.append(&lease, &chunk(3, 1), None).await)?;
    same(&told(store.list("t", &Page::of(9)).await)?.len(), &0)?;
    let chain = told(store.chain("t", &"a".into(), 9).await)?;
    same(&chain.turns.first().map(|turn| (turn.erased, turn.input.len())), &Some((true, 0)))
}

async fn reads_chains(store: Shared) -> Outcome {
    for (id, parent) in
        [("a", Some("lost")), ("b", Some("a")), ("c", Some("b")), ("fork", Some("a"))]
    {
        let mut request = request();
        request.previous_interaction_id = parent.map(Into::into);
        let new = new(id, request, 1, MINUTE);
        told(store.insert(&new, None, Some(&ending(Status::Completed))).await)?;
    }
    let chain = told(store.chain("t", &"c".into(), 9).await)?;
    let ids: Vec<_> = chain.turns.iter().map(|turn| turn.id.as_str()).collect();
    same(&ids, &vec!["a", "b", "c"])?;
    same(&chain.missing, &Some("lost".into()))?;
    same(&chain.turns[2].output, &vec![Step::model_text("done")])?;
    let short = told(store.chain("t", &"c".into(), 2).await)?;
    same(&(short.turns.len(), short.missing), &(2, Some("a".into())))?;
    same(&told(store.chain("t", &"nothing".into(), 9).await)?.turns.len(), &0)
}

async fn lists(store: Shared) -> Outcome {
    for (id, created) in [("a", 10), ("b", 20), ("c", 20), ("d", 30)] {
        let mut request = request();
        if id > "b" {
            request.labels = Some([("team".to_owned(), id.to_owned())].into());
        }
        let new = new(id, request, created, MINUTE);
        let end = (id != "d").then(|| ending(Status::Completed));
        told(store.insert(&new, None, end.as_ref()).await)?;
    }
    let ids = async |page: Page| -> Result<String, String> {
        let found = told(store.list("t", &page).await)?;
        Ok(found.iter().map(|summary| summary.id.as_str()).collect())
    };
    same(&ids(Page::of(9)).await?.as_str(), &"dcba")?;
    same(&ids(Page::of(2)).await?.as_str(), &"dc")?;
    let page = |change: fn(&mut Page)| {
        let mut page = Page::of(9);
        change(&mut page);
        page
    };
    for (change, wanted) in [
        ((|page| page.before = Some((20, "c".into()))) as fn(&mut Page), "ba"),
        (|page| page.status = Some(Status::InProgress), "d"),
        (|page| page.model = Some("other".to_owned()), ""),
        (|page| page.labels = vec![LabelFilter::new("team", None)], "dc"),
        (|page| page.labels = vec![LabelFilter::new("team", Some("c".to_owned()))], "c"),
        (|page| page.created_from = Some(20), "dcb"),
        (|page| page.created_to = Some(20), "a"),
    ] {
        same(&ids(page(change)).await?.as_str(), &wanted)?;
    }
    Ok(())
}

async fn expires(store: Shared) -> Outcome {
    for (id, expires, ends) in [("old", 10, true), ("young", 30, true), ("busy", 10, false)] {
        let mut new = new(id, request(), 1, MINUTE);
        new.expires = Some(expires);
        let end = ends.then(|| ending(Status::Completed));
        told(store.insert(&new, None, end.as_ref()).await)?;
    }
    same(&told(store.expire(20).await)?, &1)?;
    same(&told(store.status("t", &"old".into()).await)?, &None)?;
    same(&told(store.status("t", &"young".into()).await)?, &Some(Status::Completed))?;
    same(&told(store.status("t", &"busy".into()).await)?, &Some(Status::InProgress))
}

async fn keeps_keys(store: Shared) -> Outcome {
    let key = |id: &str, digest: &str| {
        KeyRecord::new(id.into(), "t".into(), "name".into(), digest.into(), 1)
    };
    told(store.add_key(&key("a", "d1")).await)?;
    told(store.add_key(&key("b", "d2")).await)?;
    ensure(store.add_key(&key("c", "d1")).await.is_err(), || "one key twice".to_owned())?;
    same(&told(store.keys().await)?, &vec![key("a", "d1"), key("b", "d2")])?;
    same(&told(store.revoke_key("a").await)?, &true)?;
    same(&told(store.revoke_key("a").await)?, &false)?;
    same(&told(store.keys().await)?, &vec![key("b", "d2")])
}

async fn keeps_agents(store: Shared) -> Outcome {
    let agent = |id: &str| AgentRecord::new(Agent::new(id), Some(vec![1, 2]), 7);
    for id in ["b", "a", "c"] {
        same(&told(store.add_agent("t", &agent(id)).await)?, &true)?;
    }
    same(&told(store.add_agent("t", &agent("a")).await)?, &false)?;
    same(&told(store.add_agent("other", &agent("a")).await)?, &true)?;
    same(&told(store.agent("t", "a").await)?, &Some(agent("a")))?;
    same(&told(store.agents("t", "a", 1).await)?, &vec![agent("b")])?;
    same(&told(store.remove_agent("t", "a").await)?, &true)?;
    same(&told(store.remove_agent("t", "a").await)?, &false)?;
    same(&told(store.agent("other", "a").await)?, &Some(agent("a")))
}

fn webhook(id: &str) -> WebhookRecord {
    let events = vec![WebhookEventType::InteractionCompleted];
    WebhookRecord::new(id.to_owned(), "https://a.example/x".to_owned(), events, vec![3], 5)
}

async fn keeps_webhooks(store: Shared) -> Outcome {
    told(store.add_webhook("t", &webhook("a")).await)?;
    told(store.add_webhook("t", &webhook("b")).await)?;
    same(&told(store.webhooks("t", "a", 9).await)?, &vec![webhook("b")])?;
    same(&told(store.webhook("other", "a").await)?, &None)?;
    let mut changed = webhook("a");
    changed.name = Some("ci".to_owned());
    changed.state = WebhookState::Disabled;
    changed.updated = 6;
    let before = webhook("a");
    same(&told(store.update_webhook("other", &before, &changed).await)?, &false)?;
    same(&told(store.update_webhook("t", &before, &changed).await)?, &true)?;
    // Who has read it before that change cannot undo it unseen.
    same(&told(store.update_webhook("t", &before, &webhook("a")).await)?, &false)?;
    same(&told(store.webhook("t", "a").await)?, &Some(changed))?;
    same(&told(store.enabled_webhooks("t").await)?, &vec![webhook("b")])?;
    same(&told(store.remove_webhook("t", "b").await)?, &true)?;
    same(&told(store.remove_webhook("t", "b").await)?, &false)
}

async fn keeps_deliveries(store: Shared) -> Outcome {
    let idle = Busy::default();
    told(store.add_webhook("t", &webhook("hook")).await)?;
    let told_of = |id: &str| {
        let (uri, payload) = ("https://a.example/x".to_owned(), "{}".to_owned());
        NewDelivery::new(id.to_owned(), Some("hook".to_owned()), uri, payload)
    };
    let quick = new("quick", request(), 1, MINUTE);
    let mut end = ending(Status::Completed);
    end.deliveries = vec![told_of("m1")];
    told(store.insert(&quick, None, Some(&end)).await)?;
    let lease = run(&store, "slow", 1).await?;
    end.deliveries = vec![told_of("m2")];
    told(store.finish(&lease, None, &end).await)?;
    // An ending that is refused tells nobody.
    end.deliveries = vec![told_of("m3")];
    fenced(&store.finish(&lease, None, &end).await)?;

    let uris = vec!["https://a.example/x".to_owned()];
    for busy in [Busy::new(vec!["t".to_owned()], Vec::new()), Busy::new(Vec::new(), uris)] {
        same(&told(store.claim_deliveries("me", MINUTE, &busy, 9).await)?.len(), &0)?;
    }
    let mut claimed = told(store.claim_deliveries("me", MINUTE, &idle, 9).await)?;
    claimed.sort_by(|one, other| one.what.id.cmp(&other.what.id));
    let ids = |claimed: &[Delivery]| -> Vec<String> {
        claimed.iter().map(|delivery| delivery.what.id.clone()).collect()
    };
    same(&ids(&claimed), &vec!["m1".to_owned(), "m2".to_owned()])?;
    same(&(claimed[0].attempt, claimed[0].tenant.as_str()), &(1, "t"))?;
    same(&told(store.claim_deliveries("other", MINUTE, &idle, 9).await)?.len(), &0)?;
    told(store.settle(&claimed[0]).await)?;
    told(store.put_off(&claimed[1], 0).await)?;
    let again = told(store.claim_deliveries("other", MINUTE, &idle, 9).await)?;
    same(&again.first().map(|it| (it.what.id.as_str(), it.attempt)), &Some(("m2", 2)))?;
    // Who was overtaken can strike nothing off.
    told(store.settle(&claimed[1]).await)?;
    told(store.put_off(&again[0], i64::MAX).await)?;
    same(&told(store.claim_deliveries("other", MINUTE, &idle, 9).await)?.len(), &0)?;
    told(store.give_up(&again[0], 8).await)?;
    let state = told(store.webhook("t", "hook").await)?.map(|webhook| webhook.state);
    same(&state, &Some(WebhookState::DisabledDueToFailedDeliveries))
}

async fn keeps_signing_keys(store: Shared) -> Outcome {
    let first = SigningKeyRecord::new("k1".to_owned(), vec![1], 5);
    told(store.add_first_signing_key(&first).await)?;
    told(store.add_first_signing_key(&SigningKeyRecord::new("k2".to_owned(), vec![2], 6)).await)?;
    same(&told(store.signing_keys().await)?, &vec![first])
}
