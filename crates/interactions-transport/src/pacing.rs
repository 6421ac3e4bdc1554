//! Feature `retry`: how long to wait before a request is sent again.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long a service asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date.
///
/// A date that has passed is no wait. What cannot be read counts as not said.
///
/// ```
/// use std::time::Duration;
/// use interactions_transport::pacing::retry_after;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "2".parse()?);
/// assert_eq!(retry_after(&headers), Some(Duration::from_secs(2)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    retry_after_at(headers, SystemTime::now())
}

fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let duration = |number: &str, unit: f64| {
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? / unit).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|number| duration(number, 1000.0)) {
        return Some(wait);
    }
    let value = text(RETRY_AFTER.as_str())?;
    duration(value, 1.0).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    })
}

/// The wait before the retry after `retries` others: `initial`, doubled each time up to `limit`,
/// then shortened by up to a quarter at random, so that many clients do not come back at once.
#[must_use]
pub fn backoff(initial: Duration, limit: Duration, retries: u32) -> Duration {
    let doubled = initial.saturating_mul(2_u32.saturating_pow(retries));
    // Without randomness the waits are only less spread.
    let random = getrandom::u32().unwrap_or(0);
    let most = doubled.min(limit);
    let part = 1.0 - 0.25 * f64::from(random) / f64::from(u32::MAX);
    // What is too long to be multiplied is too long to be waited for, too.
    Duration::try_from_secs_f64(most.as_secs_f64() * part).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_waiting_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (name, value, wait) in [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", " 0.25 ", Some(0.25)),
            ("retry-after-ms", "1500", Some(1.5)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10.0)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT", Some(0.0)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "1e300", None),
            ("retry-after", "soon", None),
            ("retry-after-ms", "soon", None),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )]);
            let wait = wait.map(Duration::from_secs_f64);
            assert_eq!(retry_after_at(&headers, now), wait, "{name}: {value}");
        }
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        let (initial, limit) = (Duration::from_millis(500), Duration::from_secs(8));
        for (retries, whole) in [(0, 0.5), (1, 1.0), (3, 4.0), (4, 8.0), (u32::MAX, 8.0)] {
            let wait = backoff(initial, limit, retries).as_secs_f64();
            assert!((whole * 0.75..=whole).contains(&wait), "{retries}: {wait}");
        }
        assert!(backoff(Duration::MAX, Duration::MAX, 9) > Duration::from_secs(u64::MAX / 2));
    }
}
