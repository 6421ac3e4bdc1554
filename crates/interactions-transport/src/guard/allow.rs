//! The operator's exceptions.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

#[derive(Debug, Default)]
pub(super) struct AllowList(Vec<Rule>);

#[derive(Debug)]
enum Rule {
    Host { name: String, port: Option<u16> },
    Address { address: IpAddr, port: Option<u16> },
    Network(IpNet),
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

    pub(super) fn admits_loopback(&self, port: u16) -> bool {
        self.admits_address(IpAddr::from([127, 0, 0, 1]), port)
            || self.admits_address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]), port)
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
            Rule::Network(network) => network.contains(&address),
            Rule::Host { .. } => false,
        })
    }
}

fn parse_rule(rule: &str) -> Result<Rule, AllowError> {
    let text = rule.trim();
    if let Ok(network) = text.parse::<IpNet>() {
        return Ok(Rule::Network(network));
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Rule::Address { address: address.to_canonical(), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => return Err(AllowError(rule.to_owned())),
        },
        None => (text, None),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Rule::Address { address: address.to_canonical(), port });
    }
    let plausible = !host.is_empty()
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !plausible {
        return Err(AllowError(rule.to_owned()));
    }
    Ok(Rule::Host { name: host.to_owned(), port })
}

/// An exception that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowError(String);

impl fmt::Display for AllowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is neither a host, an address nor a network; write `host`, `host:port`, `10.0.0.7:80` or `10.0.0.0/8`",
            self.0
        )
    }
}

impl Error for AllowError {}
