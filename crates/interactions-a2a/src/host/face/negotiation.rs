//! Which version and which extensions a request speaks.

use http::HeaderMap;
use http::request::Parts;
use url::form_urlencoded;

use crate::fault::{Fault, FaultKind};
use crate::wire::{EXTENSIONS_HEADER, VERSION_HEADER};

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    /// What is meant by a request that names none.
    V03,
}

/// The version of a request: its header's, or its query's.
pub(super) fn version(parts: &Parts) -> Result<Version, Fault> {
    let header = parts.headers.get(VERSION_HEADER).map(|value| value.to_str().unwrap_or("?"));
    let query = parts.uri.query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case(VERSION_HEADER))
        .map(|(_, value)| value.into_owned());
    let named = header.map(str::to_owned).or(query).unwrap_or_default();
    let named = named.trim();
    // Patches change nothing that is to be seen.
    let mut numbers = named.splitn(3, '.');
    let version = (numbers.next(), numbers.next());
    let is_number =
        |patch: &str| !patch.is_empty() && patch.bytes().all(|one| one.is_ascii_digit());
    match version {
        _ if named.is_empty() => Ok(Version::V03),
        (Some("1"), Some("0")) if numbers.next().is_none_or(is_number) => Ok(Version::V1),
        (Some("0"), Some("3")) if numbers.next().is_none_or(is_number) => Ok(Version::V03),
        _ => {
            let shown: String = named.chars().take(20).collect();
            let message = format!("version `{shown}` of the protocol is not spoken here; 1.0 is");
            Err(Fault::new(FaultKind::VersionNotSupported, message))
        }
    }
}

/// That the version of earlier callers is not spoken.
pub(super) fn no_legacy() -> Fault {
    let message = "requests name their version: send the header A2A-Version: 1.0";
    Fault::new(FaultKind::VersionNotSupported, message)
}

/// The extensions that a request uses.
pub(super) fn extensions(headers: &HeaderMap) -> Vec<String> {
    // Callers of 0.3 have another name for it.
    let values = [EXTENSIONS_HEADER, super::legacy::EXTENSIONS_HEADER]
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(|value| value.to_str().ok());
    let each = values.flat_map(|value| value.split(','));
    each.map(|uri| uri.trim().to_owned()).filter(|uri| !uri.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_in_header_or_query() {
        let request = |header: Option<&str>, uri: &str| {
            let mut builder = http::Request::get(uri);
            if let Some(header) = header {
                builder = builder.header("a2a-version", header);
            }
            version(&builder.body(()).unwrap().into_parts().0)
        };
        assert_eq!(request(Some("1.0"), "/"), Ok(Version::V1));
        assert_eq!(request(None, "/?A2A-Version=1.0"), Ok(Version::V1));
        assert_eq!(request(None, "/"), Ok(Version::V03));
        assert_eq!(request(Some("0.3"), "/"), Ok(Version::V03));
        assert_eq!(request(Some("1.0.1"), "/"), Ok(Version::V1));
        assert_eq!(request(Some("0.3.0"), "/"), Ok(Version::V03));
        for wrong in ["1", "1.1", "2.0", "1.0.", "1.0.x", "1.0.1.1", "10.0", "x"] {
            let fault = request(Some(wrong), "/").unwrap_err();
            assert_eq!(fault.kind(), FaultKind::VersionNotSupported, "{wrong}");
        }
    }
}
