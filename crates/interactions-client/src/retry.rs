//! Trying again: when, how long after, and how often in all.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use interactions_transport::pacing::backoff;

use crate::Error;

/// Decides whether a failed request is sent again.
///
/// ```
/// use std::time::Duration;
/// use interactions_client::{Failure, RetryPolicy};
///
/// /// Two more tries of what the service was too busy for.
/// #[derive(Debug)]
/// struct Patient;
///
/// impl RetryPolicy for Patient {
///     fn delay(&self, failure: &Failure<'_>) -> Option<Duration> {
///         let busy = failure.error.status() == Some(429);
///         (busy && failure.retries < 2).then_some(Duration::from_secs(1))
///     }
/// }
/// ```
pub trait RetryPolicy: Debug + Send + Sync + 'static {
    /// How long to wait before the same request is sent again; `None` gives up.
    fn delay(&self, failure: &Failure<'_>) -> Option<Duration>;

    /// Is told of every request that succeeded.
    fn succeeded(&self) {}
}

/// A request that failed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// Why.
    pub error: &'a Error,
    /// How often the request was sent again before.
    pub retries: u32,
    /// Whether sending it twice does no more than sending it once.
    pub idempotent: bool,
}

/// The default policy: what Google's SDKs do, without repeating what may have run.
///
/// Statuses 408, 409, 429 and 5xx and connections that did not come about are tried again,
/// up to four times, after 0.5 s, 1 s, 2 s and 4 s, each shortened by up to a quarter at random.
/// `retry-after-ms` and `Retry-After` replace these times.
/// A connection that breaks after sending leaves open whether the request ran; then only
/// idempotent requests are repeated, unless [`repeat_unsafe`](Self::repeat_unsafe) is set.
#[derive(Clone, Debug)]
#[must_use]
pub struct Backoff {
    retries: u32,
    initial: Duration,
    limit: Duration,
    longest_wait: Duration,
    repeat_unsafe: bool,
    budget: Option<Arc<RetryBudget>>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            retries: 4,
            initial: Duration::from_millis(500),
            limit: Duration::from_secs(8),
            longest_wait: Duration::from_secs(120),
            repeat_unsafe: false,
            budget: None,
        }
    }
}

impl Backoff {
    /// Never tries again.
    pub fn never() -> Self {
        Self::default().retries(0)
    }

    /// How often a request is sent again at the most.
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count;
        self
    }

    /// The first wait; every further one doubles.
    pub fn initial(mut self, wait: Duration) -> Self {
        self.initial = wait;
        self
    }

    /// What doubling stops at.
    pub fn limit(mut self, wait: Duration) -> Self {
        self.limit = wait;
        self
    }

    /// Gives up when the service asks for a longer wait than this; two minutes by default.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// Also repeats requests that are not idempotent and may have run, as Google's SDKs do.
    ///
    /// The service has no idempotency keys: a create may then run, and be paid for, twice.
    pub fn repeat_unsafe(mut self) -> Self {
        self.repeat_unsafe = true;
        self
    }

    /// Shares a budget with other clients.
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    fn is_worth_it(&self, failure: &Failure<'_>) -> bool {
        let error = failure.error;
        match error.status() {
            Some(status) => matches!(status, 408 | 409 | 429 | 500..=599),
            None => {
                error.is_transient()
                    && (failure.idempotent || self.repeat_unsafe || !error.may_have_run())
            }
        }
    }
}

impl RetryPolicy for Backoff {
    fn delay(&self, failure: &Failure<'_>) -> Option<Duration> {
        if failure.retries >= self.retries || !self.is_worth_it(failure) {
            return None;
        }
        // A service that names no time leaves it to us; so does one whose time is up.
        let asked = failure.error.retry_after().filter(|wait| !wait.is_zero());
        let wait = asked.unwrap_or_else(|| backoff(self.initial, self.limit, failure.retries));
        if wait > self.longest_wait {
            return None;
        }
        self.budget.as_ref().is_none_or(|budget| budget.spend()).then_some(wait)
    }

    fn succeeded(&self) {
        if let Some(budget) = &self.budget {
            budget.earn();
        }
    }
}

/// What all clients of a process may spend on trying again.
///
/// When a service is down, every request fails, and retries would multiply the load on it.
/// A retry costs [`COST`](Self::COST), a success earns one back; without balance nothing is retried.
#[derive(Debug)]
pub struct RetryBudget {
    balance: AtomicU32,
    capacity: u32,
}

impl RetryBudget {
    /// What one retry costs, in successes.
    pub const COST: u32 = 5;

    /// A full budget of this many successes.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        Self { balance: AtomicU32::new(capacity), capacity }
    }

    /// What is left, in successes.
    #[must_use]
    pub fn balance(&self) -> u32 {
        self.balance.load(Ordering::Relaxed)
    }

    fn spend(&self) -> bool {
        self.balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(Self::COST))
            .is_ok()
    }

    fn earn(&self) {
        // A full budget stays as it is.
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left < self.capacity).then_some(left + 1)
        });
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use interactions_transport::{TransportError, TransportErrorKind};

    use super::*;

    fn status(status: u16, headers: &[(&str, &str)]) -> Error {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Error::response(&response.body(()).unwrap().into_parts().0, b"")
    }

    fn broken(kind: TransportErrorKind) -> Error {
        Error::transport(TransportError::new(kind, "x"))
    }

    fn delay(policy: &Backoff, error: &Error, retries: u32, idempotent: bool) -> Option<Duration> {
        policy.delay(&Failure { error, retries, idempotent })
    }

    #[test]
    fn tries_again_what_google_s_sdks_try_again() {
        let policy = Backoff::default();
        for code in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(delay(&policy, &status(code, &[]), 0, false).is_some(), "{code}");
        }
        for code in [400, 401, 403, 404, 413, 422, 302] {
            assert!(delay(&policy, &status(code, &[]), 0, true).is_none(), "{code}");
        }
        assert!(delay(&policy, &broken(TransportErrorKind::Connect), 0, false).is_some());
        assert!(delay(&policy, &broken(TransportErrorKind::Refused), 0, true).is_none());
    }

    #[test]
    fn repeats_what_may_have_run_only_if_that_is_safe_or_wanted() {
        for kind in [TransportErrorKind::Interrupted, TransportErrorKind::Timeout] {
            let error = broken(kind);
            assert!(delay(&Backoff::default(), &error, 0, false).is_none());
            assert!(delay(&Backoff::default(), &error, 0, true).is_some());
            assert!(delay(&Backoff::default().repeat_unsafe(), &error, 0, false).is_some());
        }
    }

    #[test]
    fn waits_double_up_to_a_limit_and_are_shortened_by_a_quarter_at_most() {
        let policy = Backoff::default().retries(9);
        let error = status(503, &[]);
        for (retries, whole) in [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (8, 8.0)] {
            for _ in 0..200 {
                let wait = delay(&policy, &error, retries, true).unwrap().as_secs_f64();
                assert!((whole * 0.75..=whole).contains(&wait), "{retries}: {wait}");
            }
        }
        assert!(delay(&Backoff::default(), &error, 4, true).is_none());
    }

    #[test]
    fn the_service_s_own_time_wins() {
        let policy = Backoff::default();
        let wait = |headers: &[(&str, &str)]| delay(&policy, &status(503, headers), 0, true);
        assert_eq!(wait(&[("retry-after", "3")]), Some(Duration::from_secs(3)));
        assert_eq!(wait(&[("retry-after-ms", "1500")]), Some(Duration::from_millis(1500)));
        let both = [("retry-after", "9"), ("retry-after-ms", "20")];
        assert_eq!(wait(&both), Some(Duration::from_millis(20)));
        assert_eq!(wait(&[("retry-after", "100000")]), None, "nobody waits that long");
    }

    #[test]
    fn a_budget_ends_retries_and_successes_refill_it() {
        let budget = Arc::new(RetryBudget::new(2 * RetryBudget::COST));
        let policy = Backoff::default().budget(Arc::clone(&budget));
        let error = status(503, &[]);
        assert!(delay(&policy, &error, 0, true).is_some());
        assert!(delay(&policy, &error, 0, true).is_some());
        assert!(delay(&policy, &error, 0, true).is_none());
        for _ in 0..RetryBudget::COST {
            policy.succeeded();
        }
        assert!(delay(&policy, &error, 0, true).is_some());
        (0..99).for_each(|_| policy.succeeded());
        assert_eq!(budget.balance(), 2 * RetryBudget::COST);
    }
}
