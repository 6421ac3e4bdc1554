//! Times as the store and the wire have them.

use jiff::Timestamp;

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with whole seconds, as the wire has it.
pub(crate) fn rfc3339(millis: i64) -> String {
    let seconds = Timestamp::from_second(millis.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    seconds.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads RFC 3339 with any offset; `None` for what is no such time.
pub(crate) fn from_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    #[test]
    fn writes_whole_seconds() {
        assert_eq!(super::rfc3339(1_764_159_767_999), "2025-11-26T12:22:47Z");
        assert_eq!(super::rfc3339(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn reads_what_it_writes_and_other_offsets() {
        for (text, millis) in [
            ("2025-11-26T12:22:47Z", Some(1_764_159_767_000)),
            ("2025-11-26T13:22:47.25+01:00", Some(1_764_159_767_250)),
            ("2025-11-26t12:22:47z", Some(1_764_159_767_000)),
            ("2025-11-26", None),
            ("2025-11-26T12:22:47", None),
            ("2025-13-26T12:22:47Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(super::from_rfc3339(text), millis, "{text}");
        }
    }
}
