//! How many requests a tenant may make in a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Beyond this many tenants, those whose buckets are full again are forgotten.
const REMEMBERED: usize = 1024;

/// A bucket of tokens for each tenant, filled evenly.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Zero is no limit.
    per_minute: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Pace {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, buckets: Mutex::default() }
    }

    pub(super) fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Lets one request through, or says how long to wait for the next.
    pub(super) fn admit(&self, tenant: &str) -> Result<(), Duration> {
        self.admit_at(tenant, Instant::now())
    }

    fn admit_at(&self, tenant: &str, now: Instant) -> Result<(), Duration> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let capacity = f64::from(self.per_minute);
        let refilled = |bucket: &Bucket| {
            let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.tokens + since * capacity / 60.0).min(capacity)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| refilled(bucket) < capacity);
        }
        let full = Bucket { tokens: capacity, filled: now };
        let bucket = buckets.entry(tenant.to_owned()).or_insert(full);
        let tokens = refilled(bucket);
        let admitted = tokens >= 1.0;
        *bucket = Bucket { tokens: tokens - f64::from(u8::from(admitted)), filled: now };
        if admitted {
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - tokens) * 60.0 / capacity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_worth_may_come_at_once_and_then_evenly() {
        let pace = Pace::new(60);
        let begin = Instant::now();
        let admitted = (0..100).filter(|_| pace.admit_at("a", begin).is_ok()).count();
        assert_eq!(admitted, 60);
        let wait = pace.admit_at("a", begin).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(pace.admit_at("a", begin + wait).is_ok());
        assert!(pace.admit_at("a", begin + wait).is_err());
        assert!(pace.admit_at("b", begin).is_ok(), "tenants do not wait for each other");
        let later = begin + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| pace.admit_at("a", later).is_ok()).count(), 60);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let pace = Pace::new(0);
        assert!((0..10_000).all(|_| pace.admit("a").is_ok()));
        assert!(pace.buckets.lock().unwrap().is_empty());
    }
}
