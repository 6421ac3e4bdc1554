//! Who may use a service that asks nobody for credentials: programs, not the pages of strangers.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Uri};
use url::Url;

/// Judges who has sent a request to a service that asks nobody for credentials.
///
/// A browser lets any page send requests to the machine that it runs on, and a page whose name is
/// made to mean that machine may read the answers too. Its requests say where they come from:
/// `Origin` must be the service itself or a page of this machine, and with `local_only`, for a
/// service that only this machine is to reach, `Host` must be a name of this machine.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Uri};
/// use interactions_transport::guard::check_sender;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("host", HeaderValue::from_static("127.0.0.1:8080"));
/// assert!(check_sender(&headers, &Uri::from_static("/"), true).is_ok());
/// headers.insert("origin", HeaderValue::from_static("https://elsewhere.example"));
/// assert!(check_sender(&headers, &Uri::from_static("/"), true).is_err());
/// ```
///
/// # Errors
///
/// [`StrangeSender`] when a page of another site, or under another name, has sent it.
pub fn check_sender(headers: &HeaderMap, uri: &Uri, local_only: bool) -> Result<(), StrangeSender> {
    let header =
        |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = header(HOST).or_else(|| uri.authority().map(|authority| authority.as_str()));
    let host = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
    if let Some(origin) = header(ORIGIN) {
        let origin = Url::parse(origin).ok();
        let is_own = origin.as_ref().is_some_and(|origin| {
            let place = |url: &Url| (url.host_str().map(str::to_owned), url.port());
            is_local(origin) || host.as_ref().is_some_and(|host| place(host) == place(origin))
        });
        if !is_own {
            return Err(StrangeSender::OtherSite);
        }
    }
    if local_only && !host.as_ref().is_some_and(is_local) {
        return Err(StrangeSender::OtherName);
    }
    Ok(())
}

/// Who must not use a service without credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StrangeSender {
    /// A page of another site.
    OtherSite,
    /// Somebody to whom this machine has a name that is none of its own.
    OtherName,
}

impl fmt::Display for StrangeSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSite => "pages of other sites may not use a service without credentials",
            Self::OtherName => {
                "a service without credentials is for its own machine, under a name of it"
            }
        })
    }
}

impl Error for StrangeSender {}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judge(host: &str, origin: Option<&str>, local_only: bool) -> Result<(), StrangeSender> {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header");
        let mut headers = HeaderMap::from_iter([(HOST, value(host))]);
        if let Some(origin) = origin {
            headers.insert(ORIGIN, value(origin));
        }
        check_sender(&headers, &Uri::from_static("/"), local_only)
    }

    #[test]
    fn programs_and_own_pages_are_let_in() {
        for host in ["127.0.0.1:4000", "localhost:4000", "[::1]:4000", "agent.localhost"] {
            assert_eq!(judge(host, None, true), Ok(()), "{host}");
        }
        for origin in ["http://localhost:3000", "http://127.0.0.1:4000", "http://[::1]"] {
            assert_eq!(judge("127.0.0.1:4000", Some(origin), true), Ok(()), "{origin}");
        }
        assert_eq!(judge("agents.example", Some("https://agents.example"), false), Ok(()));
        assert_eq!(judge("in-process", None, false), Ok(()));
    }

    #[test]
    fn pages_of_strangers_are_not() {
        for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", ""] {
            for local_only in [true, false] {
                let judged = judge("127.0.0.1:4000", Some(origin), local_only);
                assert_eq!(judged, Err(StrangeSender::OtherSite), "{origin}");
            }
        }
        // A name that is made to mean this machine.
        let rebound = judge("evil.example:4000", Some("http://evil.example:4000"), true);
        assert_eq!(rebound, Err(StrangeSender::OtherName));
        assert_eq!(judge("evil.example", None, true), Err(StrangeSender::OtherName));
        let nameless = check_sender(&HeaderMap::new(), &Uri::from_static("/"), true);
        assert_eq!(nameless, Err(StrangeSender::OtherName));
        let by_uri = Uri::from_static("http://127.0.0.1:4000/");
        assert_eq!(check_sender(&HeaderMap::new(), &by_uri, true), Ok(()));
    }

    #[test]
    fn reasons_are_told() {
        assert!(StrangeSender::OtherSite.to_string().contains("other sites"));
        assert!(StrangeSender::OtherName.to_string().contains("own machine"));
    }
}
