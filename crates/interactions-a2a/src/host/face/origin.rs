//! Who may use a host that asks nobody for credentials: programs, not the pages of strangers.
//!
//! A browser lets any page send requests to this machine, and a page whose name is made to mean
//! this machine may read the answers too. Its requests say where it comes from.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use url::Url;

/// That a request does not come from a page of another site.
///
/// # Errors
///
/// What is wrong, and what to do about it.
pub(super) fn check(parts: &Parts, base_url: &str) -> Result<(), &'static str> {
    let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = header(HOST).or_else(|| parts.uri.authority().map(|it| it.as_str()));
    let host = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
    if let Some(origin) = header(ORIGIN) {
        let origin = Url::parse(origin).ok();
        let is_own = origin.as_ref().is_some_and(|origin| {
            let place = |url: &Url| (url.host_str().map(str::to_owned), url.port());
            is_local(origin) || host.as_ref().is_some_and(|host| place(host) == place(origin))
        });
        if !is_own {
            return Err("pages of other sites may not use a host without credentials: add some");
        }
    }
    let is_of_this_machine = Url::parse(base_url).is_ok_and(|url| is_local(&url));
    if is_of_this_machine && !host.as_ref().is_some_and(is_local) {
        return Err("this host is for its machine alone: configure its base URL, or credentials");
    }
    Ok(())
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(host: &str, origin: Option<&str>, base_url: &str) -> bool {
        let mut request = http::Request::post("/").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        check(&request.body(()).unwrap().into_parts().0, base_url).is_ok()
    }

    #[test]
    fn pages_of_strangers_are_refused_and_programs_are_not() {
        let local = "http://127.0.0.1:4000";
        for host in ["127.0.0.1:4000", "localhost:4000", "[::1]:4000", "agent.localhost"] {
            assert!(is_taken(host, None, local), "{host}");
        }
        assert!(is_taken("127.0.0.1:4000", Some("http://localhost:3000"), local));
        for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", ""] {
            assert!(!is_taken("127.0.0.1:4000", Some(origin), local), "{origin}");
        }
        // A name that is made to mean this machine.
        assert!(!is_taken("evil.example:4000", Some("http://evil.example:4000"), local));
        assert!(!is_taken("evil.example:4000", None, local));
        let public = "https://agents.example";
        assert!(is_taken("agents.example", Some("https://agents.example"), public));
        assert!(is_taken("behind-a-proxy", None, public));
        assert!(!is_taken("agents.example", Some("https://evil.example"), public));
    }
}
