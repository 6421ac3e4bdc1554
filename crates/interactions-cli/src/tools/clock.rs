//! `clock`: what time it is.

use interactions_agent::{Tool, schemars, tool_fn};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
struct Place {
    /// A time zone such as Europe/Paris. Default: the local one.
    time_zone: Option<String>,
}

pub(super) fn tool() -> impl Tool {
    tool_fn("clock", "Tells the current date and time.", |place: Place| async move {
        now(place.time_zone.as_deref())
    })
}

fn now(zone: Option<&str>) -> Result<String, String> {
    let zone = match zone.map(str::trim).filter(|name| !name.is_empty()) {
        None => TimeZone::system(),
        Some(name) => TimeZone::get(name)
            .map_err(|_| format!("there is no time zone `{name}`; names look like Europe/Paris"))?,
    };
    let time = Timestamp::now().to_zoned(zone);
    Ok(time.strftime("%A, %-d %B %Y, %H:%M:%S %Z").to_string())
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn knows_zones_and_says_when_not() {
        assert!(now(Some("UTC")).unwrap().ends_with("UTC"));
        assert!(now(None).unwrap().contains(':'));
        assert!(now(Some("Middle/Earth")).unwrap_err().contains("Middle/Earth"));
    }
}
