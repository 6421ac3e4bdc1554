//! Keepers: leases stay alive, orphaned runs are taken over, old interactions go.

use std::sync::Arc;
use std::time::Duration;

use interactions_types::{CreateInteraction, Interaction, InteractionId, Status, StreamEvent};

use super::admission::Resumed;
use super::journal::{Journal, Sink};
use super::{Engine, beginning};
use crate::clock;
use crate::error::Refusal;
use crate::store::{
    Beat, Claim, Ending, Lease, Progress, Record, StoreError, StoreErrorKind, Summary,
};

/// A run whose process has died this often is not begun again: it may be what brings the process down.
/// Before that, the [store](crate::store::Store::claim) lets more and more time pass between attempts.
const MOST_CRASHES: u32 = 20;
/// A run that has panicked this often has met with a bug that it would meet again.
const MOST_BREAKDOWNS: u32 = 3;
const CLAIMS_AT_ONCE: u32 = 16;
const SWEEP: Duration = Duration::from_secs(60);
/// Between two batches that are erased.
const BREATH: Duration = Duration::from_millis(20);
/// How often leases are renewed at least.
const CANCEL_LOOK: Duration = Duration::from_secs(3);

/// Extends the leases of this process and learns which runs should stop.
pub(super) async fn keep_leases(engine: Arc<Engine>) {
    // Who cancels through another process waits for a heartbeat of this one.
    let every = (engine.config.background.lease / 3).min(CANCEL_LOOK);
    // Closing goes on renewing: runs that end in time must still hold their leases.
    while wait(&engine, every, false).await {
        let leases = engine.leases();
        if leases.is_empty() {
            if engine.closing.is_cancelled() {
                return;
            }
            continue;
        }
        let beats = match engine.store.heartbeat(&leases, engine.config.background.lease).await {
            Ok(beats) => beats,
            Err(error) => {
                tracing::warn!(%error, "leases could not be extended");
                continue;
            }
        };
        for (lease, beat) in beats {
            let control = {
                let active = engine.lock_active();
                // A run that ended between the two looks has nothing to be told.
                active
                    .get(&lease.id)
                    .filter(|active| active.lease.as_ref() == Some(&lease))
                    .map(|a| a.control.clone())
            };
            match (beat, control) {
                (Beat::Cancel, Some(control)) => control.cancel.cancel(),
                (Beat::Lost, Some(control)) => control.abandon.cancel(),
                _ => {}
            }
        }
    }
}

/// Takes over runs whose process is gone.
pub(super) async fn take_over(engine: Arc<Engine>) {
    let every = (engine.config.background.lease / 4)
        .clamp(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let running = engine.running();
        let claims = engine
            .store
            .claim(&engine.owner, engine.config.background.lease, &running, CLAIMS_AT_ONCE)
            .await;
        match claims {
            Ok(claims) => {
                for claim in claims {
                    engine.take(claim).await;
                }
            }
            Err(error) => tracing::warn!(%error, "cannot look for runs to take over"),
        }
        if !wait(&engine, every, true).await {
            return;
        }
    }
}

/// Erases interactions whose time is over.
pub(super) async fn expire(engine: Arc<Engine>) {
    loop {
        // The store erases some at a time, so that nobody waits long for it.
        loop {
            match engine.store.expire(clock::now()).await {
                Ok(0) => break,
                Ok(count) => {
                    engine.metrics.expired(count);
                    tracing::info!(count, "erased interactions whose time was over");
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot erase interactions whose time is over");
                    break;
                }
            }
            if !wait(&engine, BREATH, true).await {
                return;
            }
        }
        if !wait(&engine, SWEEP, true).await {
            return;
        }
    }
}

/// Sleeps; false when the keeper should end.
async fn wait(engine: &Engine, time: Duration, ends_on_closing: bool) -> bool {
    if !ends_on_closing && engine.closing.is_cancelled() {
        tokio::time::sleep(time.min(Duration::from_millis(200))).await;
        return true;
    }
    tokio::select! {
        () = engine.closing.cancelled() => !ends_on_closing,
        () = tokio::time::sleep(time) => true,
    }
}

/// Why a run was not taken over.
enum Obstacle {
    /// Later it may work.
    Passing(String),
    /// It will never work.
    Lasting(Refusal),
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            http::StatusCode::SERVICE_UNAVAILABLE => Self::Passing(refusal.message),
            _ => Self::Lasting(refusal),
        }
    }
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Corrupt => Self::Lasting(error.into()),
            _ => Self::Passing(error.to_string()),
        }
    }
}

impl Engine {
    /// Goes on with a run that was claimed, or ends it, or leaves it for later.
    async fn take(self: &Arc<Self>, claim: Claim) {
        let (lease, summary) = (claim.lease.clone(), claim.summary.clone());
        let progress = claim.record.as_ref().map_or_else(
            |_| Progress::default(),
            |record| Progress::new(record.usage.clone(), record.errors.clone()),
        );
        // A request that cannot be read names nobody who is to be told.
        let request = claim.record.as_ref().map(|it| it.request.clone()).unwrap_or_default();
        let tenant = claim.tenant.clone();
        tracing::info!(id = %lease.id, attempt = lease.attempt, "taking over a run");
        self.metrics.run_taken_over();
        let why = match self.revive(claim).await {
            Ok(()) => return,
            Err(Obstacle::Passing(why)) => why,
            Err(Obstacle::Lasting(refusal)) => {
                tracing::warn!(id = %lease.id, reason = refusal.message, "the run cannot be taken over");
                match self.bury(&lease, &tenant, &request, &summary, progress, &refusal).await {
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                }
            }
        };
        tracing::warn!(id = %lease.id, why, "the run cannot be taken over yet");
        if let Err(error) = self.store.hand_back(&lease).await {
            tracing::warn!(id = %lease.id, %error, "its lease has to run out first");
        }
    }

    /// Starts another attempt at a run, with what the earlier ones have left.
    async fn revive(self: &Arc<Self>, claim: Claim) -> Result<(), Obstacle> {
        let never = |why: String| Obstacle::Lasting(Refusal::unavailable(why));
        let Claim { lease, tenant, record, secrets, attachment, cancel_requested, crashes, .. } =
            claim;
        if crashes >= MOST_CRASHES {
            return Err(never(format!("it was begun {MOST_CRASHES} times and never ended")));
        }
        let breakdowns = self.breakdowns(&lease.id);
        if breakdowns >= MOST_BREAKDOWNS {
            return Err(never(format!(
                "it broke down {breakdowns} times by a fault of the server"
            )));
        }
        let Record { request: mut bare, input, created, usage, errors, .. } = record?;
        if let Some(sealed) = secrets
            && !self.vault.restore(&mut bare, &sealed)
        {
            return Err(never("its secrets cannot be opened with this server's key".to_owned()));
        }
        let mut plan = self.plan(&tenant, bare, input).await?;
        plan.history = self.history(&tenant, &plan.request).await?.steps;

        let logged = self.store.events_after(&lease.id, 0, u32::MAX).await?;
        let place = self.occupy(&lease.id, Some(&lease));
        let sink = Sink::stored(Arc::clone(&self.store), lease.clone(), place.feed());
        let journal = Journal::new(lease.id.clone(), sink).resume(&logged);
        let progress = Progress::new(usage, errors).attached(attachment);
        plan.resumed = Some(Resumed { steps: journal.steps(), cancel_requested, progress });
        let beginning = beginning(&lease.id, &plan.request, created);
        // Nobody waits for its end, so the guard that would cancel it is let go.
        let (_, guard) = self.launch(place, None, plan, journal, beginning);
        guard.disarm();
        Ok(())
    }

    /// Ends a run that cannot be taken over. Its request may be unreadable.
    async fn bury(
        self: &Arc<Self>,
        lease: &Lease,
        tenant: &str,
        request: &CreateInteraction,
        summary: &Summary,
        progress: Progress,
        refusal: &Refusal,
    ) -> Result<(), StoreError> {
        let logged = self.store.events_after(&lease.id, 0, u32::MAX).await?;
        let place = self.occupy(&lease.id, Some(lease));
        let sink = Sink::stored(Arc::clone(&self.store), lease.clone(), place.feed());
        let mut journal = Journal::new(lease.id.clone(), sink).resume(&logged);
        let mut interaction = Interaction::new(&lease.id, Status::InProgress).object("interaction");
        interaction.model = summary.model.as_deref().map(Into::into);
        interaction.agent = summary.agent.as_deref().map(Into::into);
        interaction.created = Some(clock::rfc3339(summary.created));
        interaction.previous_interaction_id.clone_from(&summary.parent);
        if !journal.has_begun() {
            journal.created(interaction.clone());
            journal.status(Status::InProgress);
        }
        let _ = journal.stop();
        let error = refusal.api_error();
        journal.error(error.clone());
        let updated = clock::now();
        interaction.status = Status::Failed;
        interaction.updated = Some(clock::rfc3339(updated));
        let Progress { usage, mut errors, .. } = progress;
        errors.push(error);
        interaction.usage.clone_from(&usage);
        interaction.errors = Some(errors.clone());
        let deliveries =
            self.announce(tenant, &lease.id, request, &Status::Failed, &errors).await?;
        let ending = Ending {
            status: Status::Failed,
            output: journal.steps(),
            usage,
            errors,
            updated,
            deliveries,
        };
        // If this comes to nothing, the lease runs out and it is tried again.
        let _ = journal.finish(interaction, ending).await;
        self.outbox.call();
        Ok(())
    }

    /// The steps that a run has made so far, from its log.
    pub(crate) async fn steps_so_far(
        &self,
        id: &InteractionId,
    ) -> Result<Vec<interactions_types::Step>, Refusal> {
        let logged = match self.store.events_after(id, 0, u32::MAX).await {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => Vec::new(),
            logged => logged?,
        };
        let mut accumulator = interactions_types::Accumulator::new();
        for event in logged.iter().flat_map(|chunk| &chunk.events) {
            if let Ok(event) = StreamEvent::decode(Some(&event.kind), event.json.as_bytes()) {
                let _ = accumulator.push(&event);
            }
        }
        Ok(accumulator.into_interaction().steps)
    }
}
