//! Where a remote agent may be.

use url::{Host, Url};

use super::error::{RemoteError, RemoteErrorKind, bounded};

const WELL_KNOWN: &str = ".well-known/agent-card.json";

/// What the program allows beyond HTTPS and the origin of the card.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Rules of the egress guard; plain HTTP is allowed there, too.
    pub(super) allowed: Vec<String>,
    /// Other origins that a card may name.
    pub(super) origins: Vec<String>,
}

/// The address of a card: as it is, or below the address of an agent.
pub(super) fn card_url(address: &str) -> Result<Url, RemoteError> {
    let mut url = read(address)?;
    if !url.path().ends_with(".json") {
        let path = format!("{}/{WELL_KNOWN}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

fn read(address: &str) -> Result<Url, RemoteError> {
    Url::parse(address).map_err(|error| {
        let shown = bounded(address, 200);
        RemoteError::new(RemoteErrorKind::Setup, format!("`{shown}` is no address: {error}"))
    })
}

impl Places {
    /// Whether an address is encrypted, or stays where that is not needed.
    pub(super) fn check(&self, url: &Url) -> Result<(), RemoteError> {
        let refuse = |why: String| Err(RemoteError::new(RemoteErrorKind::Refused, why));
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "an address must not have a name or password in it: use `header`".to_owned(),
            );
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.may_be_plain(url) => Ok(()),
            "http" => refuse(format!(
                "{} is not encrypted: use https, or allow the host with `allow`",
                url.origin().ascii_serialization()
            )),
            other => refuse(format!("agents are reached over https, not `{}`", bounded(other, 20))),
        }
    }

    /// Whether a card from one address may lead to another.
    pub(super) fn check_from(&self, card: &Url, interface: &str) -> Result<Url, RemoteError> {
        let url = Url::parse(interface).map_err(|error| {
            let shown = bounded(interface, 200);
            RemoteError::card(format!("the card names `{shown}`, which is no address: {error}"))
        })?;
        let same = |origin: &String| {
            Url::parse(origin).is_ok_and(|allowed| allowed.origin() == url.origin())
        };
        if url.origin() != card.origin() && !self.origins.iter().any(same) {
            let (there, here) = (url.origin(), card.origin());
            return Err(RemoteError::new(
                RemoteErrorKind::Refused,
                format!(
                    "the card of {} sends its callers to {}: if that is right, allow it with `allow_origin`",
                    here.ascii_serialization(),
                    bounded(&there.ascii_serialization(), 200)
                ),
            ));
        }
        self.check(&url)?;
        Ok(url)
    }

    fn may_be_plain(&self, url: &Url) -> bool {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            None => false,
        };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let with_port = format!("{host}:{port}");
        let named = |rule: &String| {
            rule.eq_ignore_ascii_case(host) || rule.eq_ignore_ascii_case(&with_port)
        };
        is_loopback || self.allowed.iter().any(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_lie_below_the_address_of_their_agent() {
        for (address, card) in [
            ("https://a.example", "https://a.example/.well-known/agent-card.json"),
            ("https://a.example/x/", "https://a.example/x/.well-known/agent-card.json"),
            ("https://a.example/x/card.json", "https://a.example/x/card.json"),
        ] {
            assert_eq!(card_url(address).unwrap().as_str(), card);
        }
        assert_eq!(card_url("a.example").unwrap_err().kind(), RemoteErrorKind::Setup);
    }

    #[test]
    fn only_what_is_allowed_may_be_plain_or_elsewhere() {
        let places = Places {
            allowed: vec!["agents.internal:80".to_owned()],
            origins: vec!["https://b.example".to_owned()],
        };
        let check = |url: &str| places.check(&Url::parse(url).unwrap());
        assert!(check("http://127.0.0.1:9/").is_ok() && check("http://[::1]/").is_ok());
        assert!(check("http://agents.internal/").is_ok() && check("https://a.example").is_ok());
        for wrong in [
            "http://a.example",
            "http://agents.internal:81",
            "ftp://a.example",
            "https://u:p@a.example",
        ] {
            assert_eq!(check(wrong).unwrap_err().kind(), RemoteErrorKind::Refused, "{wrong}");
        }
        let card = Url::parse("https://a.example/card.json").unwrap();
        assert!(places.check_from(&card, "https://a.example/rpc").is_ok());
        assert!(places.check_from(&card, "https://b.example/rpc").is_ok());
        for wrong in ["https://c.example/", "https://a.example:444/", "http://a.example/"] {
            let error = places.check_from(&card, wrong).unwrap_err();
            assert_eq!(error.kind(), RemoteErrorKind::Refused, "{error}");
        }
    }
}
