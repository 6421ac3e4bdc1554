//! Waiting for work that runs without a connection.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use interactions_types::{Interaction, InteractionId};

use crate::exchange::Deadline;
use crate::options::{Options, call_options};
use crate::{Client, Error};

type Progress = Arc<dyn Fn(&Interaction) + Send + Sync>;

/// Waits until an interaction runs no more: completed, failed, cancelled, or waiting for answers.
///
/// It asks at once, after a second, then ever more slowly, and bears a few failed answers in a row.
/// [`with_timeout`](Self::with_timeout) limits the whole; the error then carries
/// [the last state](Error::partial). Dropping it only stops the asking, unless
/// [`cancel_on_drop`](Self::cancel_on_drop) is set.
///
/// ```
/// # use interactions_testing::replay;
/// use interactions_client::Client;
/// use interactions_types::{CreateInteraction, Status};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
/// # rt.block_on(async {
/// # let transport = replay([
/// #     r#"{"id":"v1_x","status":"in_progress"}"#, r#"{"id":"v1_x","status":"in_progress"}"#,
/// #     r#"{"id":"v1_x","status":"completed"}"#]);
/// # let client = Client::builder().transport(transport).build()?;
/// let started = client.create(CreateInteraction::new("m", "A long task.").background(true)).await?;
/// let done = client.wait(&started.id).on_progress(|state| println!("{}", state.status)).await?;
/// assert_eq!(done.status, Status::Completed);
/// # Ok::<(), interactions_client::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is waited for until this is awaited"]
pub struct Wait {
    client: Client,
    id: InteractionId,
    options: Options,
    pace: Pace,
    progress: Option<Progress>,
    cancel_on_drop: bool,
}

call_options!(Wait);

/// However fast the caller wants it, a service is not asked without a pause.
const FASTEST: Duration = Duration::from_millis(50);

/// How long a cancel may take that nobody waits for.
const CANCEL_LIMIT: Duration = Duration::from_secs(30);

/// When to ask next, and how much to bear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    next: Duration,
    slowest: Duration,
    tolerance: u32,
    failures: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            next: Duration::from_secs(1),
            slowest: Duration::from_secs(10),
            tolerance: 5,
            failures: 0,
        }
    }
}

impl Pace {
    pub(crate) fn step(&mut self) -> Duration {
        let now = self.next.min(self.slowest).max(FASTEST);
        self.next = (now.saturating_mul(3) / 2).min(self.slowest);
        now
    }

    /// Whether one more failed answer is to be borne.
    pub(crate) fn bears(&mut self, error: &Error) -> bool {
        self.failures += 1;
        error.is_transient() && self.failures <= self.tolerance
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

impl Wait {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        let (options, pace) = (client.options(), Pace::default());
        Self { client, id, options, pace, progress: None, cancel_on_drop: false }
    }

    /// Asks at once, again after `first`, later ever more slowly, but at least every `slowest`.
    pub fn pace(mut self, first: Duration, slowest: Duration) -> Self {
        (self.pace.next, self.pace.slowest) = (first, slowest);
        self
    }

    /// How many failed answers in a row are borne, each after the retries of its own; 5 by default.
    ///
    /// Only failures that may pass are; an interaction that does not exist is an error at once.
    pub fn tolerate(mut self, failures: u32) -> Self {
        self.pace.tolerance = failures;
        self
    }

    /// Shows every state that was read, the last one included.
    pub fn on_progress(mut self, show: impl Fn(&Interaction) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(show));
        self
    }

    /// Cancels the interaction at the service when the waiting is given up.
    ///
    /// That is a request of its own, sent in the background of the current tokio runtime.
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    async fn run(mut self) -> Result<Interaction, Error> {
        let mut guard = CancelOnDrop(self.cancel_on_drop.then(|| self.clone()));
        let deadline = Deadline::after(self.options.limit);
        let mut last = None;
        loop {
            let options = self.options.until(deadline);
            match self.client.get(&self.id).with_options(options).await {
                Ok(state) => {
                    self.pace.succeeded();
                    if let Some(show) = &self.progress {
                        show(&state);
                    }
                    if !state.status.is_running() {
                        guard.0 = None;
                        return Ok(state);
                    }
                    last = Some(state);
                }
                Err(error) if deadline.is_over() || self.pace.bears(&error) => {}
                Err(error) => {
                    // Asking failed; the interaction may well run on, and is left alone.
                    guard.0 = None;
                    return Err(error.with_partial(last));
                }
            }
            if !deadline.sleep(self.pace.step()).await {
                let limit = self.options.limit.unwrap_or_default();
                let id = &self.id;
                let error = Error::deadline(format!("{id} still runs after {limit:?}"));
                return Err(error.with_partial(last));
            }
        }
    }
}

/// Cancels at the service when it is dropped before the end.
struct CancelOnDrop(Option<Wait>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(wait) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let limit = Deadline::after(Some(CANCEL_LIMIT));
            let cancel = wait.client.cancel(wait.id).with_options(wait.options.until(limit));
            runtime.spawn(async move {
                // Nobody is left to hear of a failure.
                let _ = cancel.await;
            });
        }
    }
}

impl IntoFuture for Wait {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("id", &self.id)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
