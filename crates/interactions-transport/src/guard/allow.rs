//! The operator's exceptions.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

#[derive(Debug, Default)]
pub(super) struct AllowList(Vec<Rule>);

#[derive(Debug)]
enum Rule {
    Host { name: String, port: Option<u16> },
    Address { address: IpAddr, port: Option<u16> },
    Network { network: IpNet, port: Option<u16> },
}

impl AllowList {
    pub(super) fn parse<R: AsRef<str>>(
        rules: impl IntoIterator<Item = R>,
    ) -> Result<Self, AllowError> {
        rules.into_iter().map(|rule| parse_rule(rule.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn admits_address(&self, address: IpAddr, port: u16) -> bool {
        self.admits(address, |rule| rule.is_none_or(|allowed| allowed == port))
    }

    pub(super) fn admits_any_port(&self, address: IpAddr) -> bool {
        self.admits(address, |rule| rule.is_none())
    }

    pub(super) fn admits_host(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|rule| match rule {
            Rule::Host { name, port: allowed } => {
                name.eq_ignore_ascii_case(host) && allowed.is_none_or(|allowed| allowed == port)
            }
            _ => false,
        })
    }

    fn admits(&self, address: IpAddr, port: impl Fn(Option<u16>) -> bool) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|rule| match rule {
            Rule::Address { address: allowed, port: rule } => *allowed == address && port(*rule),
            Rule::Network { network, port: rule } => network.contains(&address) && port(*rule),
            Rule::Host { .. } => false,
        })
    }
}

fn parse_rule(rule: &str) -> Result<Rule, AllowError> {
    let text = rule.trim();
    if let Some(rule) = parse_numeric(text, None) {
        return Ok(rule);
    }
    let unreadable = || AllowError(rule.to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| unreadable())?)),
        None => (text, None),
    };
    if let Some(rule) = parse_numeric(host, port) {
        return Ok(rule);
    }
    let plausible = !host.is_empty()
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !plausible {
        return Err(unreadable());
    }
    // As URLs are read, so that one spelling of a name covers all of them.
    match Host::parse(host).map_err(|_| unreadable())? {
        Host::Domain(name) => Ok(Rule::Host { name: name.trim_end_matches('.').to_owned(), port }),
        Host::Ipv4(address) => Ok(Rule::Address { address: address.into(), port }),
        Host::Ipv6(_) => Err(unreadable()),
    }
}

/// An address or a network, in brackets or not.
fn parse_numeric(text: &str, port: Option<u16>) -> Option<Rule> {
    let bare = match text.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        // Without brackets the last group of an IPv6 address would pass for a port.
        None if port.is_some() && text.contains(':') => return None,
        None => text,
    };
    if let Ok(network) = bare.parse::<IpNet>() {
        return Some(Rule::Network { network, port });
    }
    let address = bare.parse::<IpAddr>().ok()?.to_canonical();
    Some(Rule::Address { address, port })
}

/// An exception that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowError(String);

impl fmt::Display for AllowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is neither a host, an address nor a network; write `host`, `host:port`, `10.0.0.7:80`, `10.0.0.0/8`, `10.0.0.0/8:80` or `[fd00::/8]:80`",
            self.0
        )
    }
}

impl Error for AllowError {}
