//! Durations as people write them: `30s`, `15m`, `12h`, `55d`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` is not a duration; write for example 30s, 15m, 12h or 55d"
        ))
    })
}

pub(super) fn read_list<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Duration>, D::Error> {
    let list = Vec::<Written>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|Written(duration)| duration).collect())
}

/// One value, so that a fault in it names its place.
struct Written(Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Self)
    }
}

pub(super) fn read_map<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Duration>, D::Error> {
    let map = BTreeMap::<String, Written>::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(name, Written(duration))| (name, duration)).collect())
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "ms" => return number.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis),
        _ => return None,
    };
    let total = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    // A thousand years keep every later sum in range.
    (1..=31_536_000_000).contains(&total).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse(" 55d "), Some(Duration::from_secs(55 * 86_400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        for bad in
            ["", "s", "30", "-3s", "3 s", "0s", "99999999999999999999d", "9999999999999999d", "1w"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
