//! The engine: admits requests, runs them, keeps what they were and lets others watch.
//!
//! Data flows one way: request → [`admission`] (a plan) → [`run`] (a loop between model and tools)
//! → [`journal`] (events, persisted before they are seen) → [`feed`] (whoever follows).
//! [`keeper`] keeps leases alive and takes over what other processes left behind.

mod admission;
mod agents;
mod cast;
mod feed;
mod history;
mod id;
mod journal;
mod keeper;
mod media;
mod nesting;
mod observation;
mod place;
mod run;
mod structured;
mod toolbox;
mod webhooks;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interactions_transport::SharedTransport;
use interactions_transport::guard::Guard;
use interactions_types::{CreateInteraction, Interaction, InteractionId, Status};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::metrics::Metrics;
use crate::model::{Model, Registry, Transient};
use crate::secrets::Vault;
use crate::store::{Chunk, Lease, NewInteraction, Record, Store, Turn};
use crate::webhooks::Outbox;
use admission::Plan;
use feed::Feeds;
pub(crate) use id::new_id;
use id::new_interaction_id;
use journal::{Birth, Journal, Sink};
use observation::Observation;
use place::{Active, Place};

pub(crate) use admission::check_label;
pub(crate) use agents::{AgentMark, ShownAgent};
pub(crate) use feed::{Following, event_seq};
pub(crate) use nesting::{DEEPEST_REQUEST, Nesting};

/// How many chunks a stream that is not stored may be ahead of its reader.
const LIVE_CHUNKS: usize = 64;
/// How long a run may take of which nobody hears before its end, without being on record. Short
/// enough for nothing to be lost that anybody would miss, long enough to spare quick models a write.
const QUICK_RUN: Duration = Duration::from_millis(25);
/// How long a cancel request waits for the run to end before it answers anyway.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that runs share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    models: Registry,
    /// Agents that were embedded, by id.
    hosted: BTreeMap<String, Arc<dyn Model>>,
    vault: Arc<Vault>,
    guard: Guard,
    /// Guarded: the way to addresses that callers choose.
    egress: SharedTransport,
    feeds: Feeds,
    pub(crate) outbox: Arc<Outbox>,
    metrics: Arc<Metrics>,
    /// Who this process is in leases.
    owner: String,
    active: Mutex<HashMap<InteractionId, Active>>,
    tenants: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// How often runs have panicked: only those with a bug are in here.
    breakdowns: Mutex<HashMap<InteractionId, u32>>,
    tasks: TaskTracker,
    /// Ends the keepers.
    closing: CancellationToken,
}

/// The two ways to stop a run from outside.
#[derive(Clone, Debug, Default)]
struct Control {
    /// Somebody asked to cancel it: it ends as `cancelled`.
    cancel: CancellationToken,
    /// This process must let go of it: it stays `in_progress` for another one.
    abandon: CancellationToken,
}

/// A run that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) id: InteractionId,
    pub(crate) stored: bool,
    /// What the first reply shows of it.
    pub(crate) beginning: Interaction,
    /// The end of the run.
    pub(crate) end: oneshot::Receiver<Finished>,
    /// The events of a run that is not stored.
    pub(crate) live: Option<mpsc::Receiver<Arc<Chunk>>>,
    /// Cancels a run that is not stored when its caller goes away.
    pub(crate) guard: Option<DropGuard>,
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) interaction: Interaction,
    /// Set when it failed for a reason that may pass.
    pub(crate) transient: Option<Transient>,
}

impl Engine {
    pub(crate) fn new(
        config: Config,
        store: Arc<dyn Store>,
        models: Registry,
        hosted: BTreeMap<String, Arc<dyn Model>>,
        vault: Vault,
        guard: Guard,
        egress: SharedTransport,
    ) -> Arc<Self> {
        let (vault, owner) = (Arc::new(vault), new_id("node_"));
        let issuer = config.webhooks.issuer.clone();
        let outbox = Arc::new(Outbox::new(
            Arc::clone(&store),
            Arc::clone(&vault),
            egress.clone(),
            config.webhooks.clone(),
            issuer.unwrap_or_else(|| format!("http://{}", config.listen)),
            owner.clone(),
        ));
        let engine = Arc::new(Self {
            config,
            store,
            models,
            hosted,
            vault,
            guard,
            egress,
            outbox,
            feeds: Feeds::default(),
            metrics: Arc::new(Metrics::new()),
            owner,
            active: Mutex::default(),
            tenants: Mutex::default(),
            breakdowns: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        engine.tasks.spawn(keeper::keep_leases(Arc::clone(&engine)));
        if engine.config.takes_over {
            engine.tasks.spawn(keeper::take_over(Arc::clone(&engine)));
            engine.tasks.spawn(keeper::expire(Arc::clone(&engine)));
            let outbox = Arc::clone(&engine.outbox);
            engine.tasks.spawn(outbox.keep_delivering(engine.closing.clone()));
        }
        engine
    }

    pub(crate) fn models(&self) -> &Registry {
        &self.models
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Admits a request and starts its run.
    pub(crate) async fn create(
        self: &Arc<Self>,
        tenant: &str,
        request: CreateInteraction,
        live: bool,
    ) -> Result<Started, Refusal> {
        let mut plan = self.admit(tenant, request).await?;
        // From here on the input stands in the plan only, which spares a copy in memory and in the store.
        plan.request.input = None;
        let permit = self.permit(tenant)?;
        let stored = plan.request.stores();
        let now = clock::now();
        let id = InteractionId::new(new_interaction_id(if stored { "v1_" } else { "" }, now));
        let beginning = beginning(&id, &plan.request, now);
        let place = self
            .occupy(&id, stored.then(|| Lease::new(id.clone(), self.owner.clone(), 1)).as_ref());
        let (mut receiver, mut birth) = (None, None);
        let sink = if let Some(lease) = place.lease() {
            let mut bare = plan.request.clone();
            let secrets = self.vault.strip(&mut bare);
            let mut new = NewInteraction::new(
                lease.clone(),
                tenant.to_owned(),
                bare,
                plan.input.clone(),
                now,
                self.config.background.lease,
            );
            new.secrets = secrets;
            new.expires = Some(now.saturating_add(millis(self.config.retention.of(tenant))));
            let (told, stored) = oneshot::channel();
            birth = Some(stored);
            // Whoever waits for the whole answer hears of nothing before.
            let waits = !live && plan.request.background != Some(true);
            let due = Instant::now() + if waits { QUICK_RUN } else { Duration::ZERO };
            let unborn = Birth { new, due, born: place.born(), told };
            Sink::unborn(Arc::clone(&self.store), lease.clone(), place.feed(), unborn)
        } else if live {
            let (sender, live) = mpsc::channel(LIVE_CHUNKS);
            receiver = Some(live);
            Sink::Live(sender)
        } else {
            Sink::Nobody
        };
        let journal = Journal::new(id.clone(), sink);
        let (end, guard) = self.launch(place, permit, plan, journal, beginning.clone());
        let guard = match birth {
            None => Some(guard),
            Some(birth) => {
                // A stored run does not die with its connection, not even before it is stored.
                guard.disarm();
                birth.await.map_err(|_| {
                    Refusal::unavailable("the interaction was not begun; try again")
                })??;
                None
            }
        };
        Ok(Started { id, stored, beginning, end, live: receiver, guard })
    }

    /// Runs a plan in a task of its own, which outlives the connection that asked for it.
    fn launch(
        self: &Arc<Self>,
        place: Place,
        permit: Option<OwnedSemaphorePermit>,
        plan: Plan,
        journal: Journal,
        beginning: Interaction,
    ) -> (oneshot::Receiver<Finished>, DropGuard) {
        let control = place.control();
        let (sender, end) = oneshot::channel();
        let engine = Arc::clone(self);
        let guard = control.cancel.clone().drop_guard();
        let observation = Observation::begin(&self.metrics, &beginning.id, &plan.request);
        self.tasks.spawn(async move {
            let run = run::run(&engine, plan, journal, beginning, control);
            let finished = run.instrument(observation.span()).await;
            observation.ended(finished.as_ref());
            drop(place);
            drop(permit);
            if let Some(finished) = finished {
                // Nobody may be waiting any more, which is fine.
                let _ = sender.send(finished);
            }
        });
        (end, guard)
    }

    /// Reads an interaction that is there.
    pub(crate) async fn load(&self, tenant: &str, id: &InteractionId) -> Result<Record, Refusal> {
        let record = self.store.load(tenant, id).await?;
        record.filter(|record| !record.erased).ok_or_else(|| unknown(id))
    }

    /// Stops a running interaction and returns how it then stands.
    pub(crate) async fn cancel(&self, tenant: &str, id: &InteractionId) -> Result<Record, Refusal> {
        match self.status(tenant, id).await? {
            Status::Cancelled => {}
            running if running.is_running() => self.stop(tenant, id).await?,
            status => {
                return Err(Refusal::precondition(format!(
                    "interaction {id} is {status} and can no longer be cancelled"
                )));
            }
        }
        self.load(tenant, id).await
    }

    /// Erases an interaction, cancelling it first if it runs.
    pub(crate) async fn delete(&self, tenant: &str, id: &InteractionId) -> Result<(), Refusal> {
        if self.status(tenant, id).await?.is_running() {
            self.stop(tenant, id).await?;
        }
        if self.store.erase(tenant, id, clock::now()).await? { Ok(()) } else { Err(unknown(id)) }
    }

    /// Asks a run to end and waits for it, but not for ever.
    async fn stop(&self, tenant: &str, id: &InteractionId) -> Result<(), Refusal> {
        self.store.request_cancel(tenant, id).await?;
        let local = self.lock_active().get(id).map(|active| active.control.cancel.clone());
        if let Some(cancel) = local {
            cancel.cancel();
        }
        let deadline = Instant::now() + CANCEL_PATIENCE;
        while self.status(tenant, id).await?.is_running() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn status(&self, tenant: &str, id: &InteractionId) -> Result<Status, Refusal> {
        self.store.status(tenant, id).await?.ok_or_else(|| unknown(id))
    }

    /// Whether it was told to stop.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Follows the events of a stored interaction after number `seq`.
    pub(crate) fn follow(
        self: &Arc<Self>,
        tenant: &str,
        id: &InteractionId,
        seq: u64,
    ) -> Following {
        Following::new(Arc::clone(self), tenant.to_owned(), id.clone(), seq)
    }

    /// Lets runs end for a while, then lets go of the rest so that another process can take them over.
    pub(crate) async fn drain(&self) {
        let patience = self.config.shutdown.patience;
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            for active in self.lock_active().values() {
                active.control.abandon.cancel();
            }
            let _ = tokio::time::timeout(Duration::from_secs(5), self.tasks.wait()).await;
        }
        if let Err(error) = self.store.release(&self.owner).await {
            tracing::warn!(%error, "leases could not be released; others take over when they run out");
        }
    }

    /// One of the places for runs that the tenant has.
    fn permit(&self, tenant: &str) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        let limit = self.config.limits.concurrent_runs;
        let semaphore = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                tenants.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(limit))),
            )
        };
        semaphore.try_acquire_owned().map(Some).map_err(|_| {
            let message = format!("{limit} interactions are running already; wait for one to end");
            Refusal::too_many(message, Duration::from_secs(1))
        })
    }

    fn lock_active(&self) -> std::sync::MutexGuard<'_, HashMap<InteractionId, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of an interaction when it begins.
fn beginning(id: &InteractionId, request: &CreateInteraction, created: i64) -> Interaction {
    let mut interaction = Interaction::new(id, Status::InProgress).object("interaction");
    named(&mut interaction, request);
    interaction.created = Some(clock::rfc3339(created));
    interaction.updated = Some(clock::rfc3339(created));
    interaction.previous_interaction_id.clone_from(&request.previous_interaction_id);
    interaction
}

fn named(interaction: &mut Interaction, request: &CreateInteraction) {
    match request.named_target() {
        Some(interactions_types::Target::Model(model)) => {
            interaction.model = Some(model);
        }
        Some(interactions_types::Target::Agent(agent)) => {
            interaction.agent = Some(agent);
        }
        _ => {}
    }
    if request.service_tier.is_some() {
        // This server knows one tier.
        interaction.service_tier = Some(interactions_types::ServiceTier::Standard);
    }
}

/// A stored interaction as GET shows it: the input, then what the run made.
pub(crate) fn shown(record: Record, events: Vec<interactions_types::Step>) -> Interaction {
    let mut interaction = beginning(&record.id, &record.request, record.created);
    interaction.status = record.status;
    interaction.updated = Some(clock::rfc3339(record.updated));
    interaction.usage = record.usage;
    interaction.errors = (!record.errors.is_empty()).then_some(record.errors);
    interaction.labels.clone_from(&record.request.labels);
    interaction.steps = record.input;
    interaction.steps.extend(if record.output.is_empty() { events } else { record.output });
    interaction
}

fn unknown(id: &InteractionId) -> Refusal {
    Refusal::not_found(format!("there is no interaction {id}"))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn turns_to_steps(turns: Vec<Turn>) -> Vec<interactions_types::Step> {
    turns.into_iter().flat_map(|turn| turn.input.into_iter().chain(turn.output)).collect()
}
