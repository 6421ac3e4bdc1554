//! Feature `guard`: egress that cannot be turned against the network it runs in.
//!
//! A caller who may choose a URL (an MCP server, a webhook, an image) could choose one
//! inside the private network. The guard lets requests out only to public addresses
//! and to what the operator has allowed:
//!
//! * literal addresses are judged in every spelling, IPv4 inside IPv6 included;
//! * names are judged by the addresses they resolve to, at the moment of connecting,
//!   and only judged addresses are connected to, so a name cannot change in between;
//! * redirects are not followed: a 302 is data, and whoever follows it sends a new request
//!   that is judged like the first;
//! * no proxy is used, whatever the environment says, since a proxy would do the connecting.
//!
//! The other way round, [`check_sender`] keeps pages of strangers from using a service of this
//! machine that asks for no credentials.
//!
//! It does not look into what is sent, and a public address of your own network is public.
//!
//! ```
//! use interactions_transport::guard::Guard;
//!
//! let guard = Guard::new(["127.0.0.1:3901", "10.1.0.0/16", "mcp.internal"])?;
//! assert!(guard.check("http://127.0.0.1:3901/mcp").is_ok());
//! assert!(guard.check("http://127.0.0.1:22/").is_err());
//! assert!(guard.check("http://2130706433/").is_err());
//! # Ok::<(), interactions_transport::guard::AllowError>(())
//! ```

mod address;
mod allow;
mod sender;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use async_trait::async_trait;
use url::{Host, Url};

use crate::reqwest::{REFUSED, ReqwestTransport};
use crate::{Body, SharedTransport, Transport, TransportError, TransportErrorKind};

pub use address::is_public;
pub use allow::AllowError;
use allow::AllowList;
pub use sender::{StrangeSender, check_sender};

const LOOPBACK_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What may be reached beyond public addresses.
///
/// Rules are hosts (`mcp.internal`), addresses (`10.0.0.7`, `[::1]`) and networks (`10.1.0.0/16`),
/// each optionally with a port (`10.1.0.0/16:443`, `[fd00::/8]:443`).
///
/// A host rule holds for that name and not for its subdomains, wherever the name leads.
/// An address or network without a port also holds for names that resolve to it; with a port it
/// holds for URLs that spell the address, because a look-up does not know the port it is for.
/// `localhost` counts as spelling the loopback addresses `127.0.0.1` and `[::1]`, of which it reaches
/// those that are allowed.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Arc<AllowList>,
}

impl Guard {
    /// A guard that also lets through what the rules name.
    ///
    /// # Errors
    /// [`AllowError`] with the rule that cannot be read.
    pub fn new<R: AsRef<str>>(rules: impl IntoIterator<Item = R>) -> Result<Self, AllowError> {
        Ok(Self { allow: Arc::new(AllowList::parse(rules)?) })
    }

    /// Judges a URL as far as that is possible without looking its name up.
    ///
    /// # Errors
    /// [`TransportErrorKind::Refused`] for a private literal address or a scheme other than HTTP,
    /// [`TransportErrorKind::Request`] for what is not a URL.
    pub fn check(&self, url: &str) -> Result<(), TransportError> {
        let url = Url::parse(url)
            .map_err(|error| TransportError::new(TransportErrorKind::Request, error))?;
        self.judge(&url).map(|_| ())
    }

    /// A transport that refuses what the guard refuses.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn transport(&self) -> Result<SharedTransport, TransportError> {
        let client = |scope| {
            let resolver = Resolver { allow: Arc::clone(&self.allow), scope };
            ReqwestTransport::builder().no_proxy().resolver(resolver).build()
        };
        Ok(SharedTransport::new(Guarded {
            guard: self.clone(),
            strict: client(Scope::Judged)?,
            open: client(Scope::Anywhere)?,
            loopback_v4: client(Scope::Only(&[LOOPBACK_V4]))?,
            loopback_v6: client(Scope::Only(&[LOOPBACK_V6]))?,
            loopback: client(Scope::Only(&[LOOPBACK_V4, LOOPBACK_V6]))?,
        }))
    }

    fn judge(&self, url: &Url) -> Result<Verdict, TransportError> {
        let refuse = |why: String| Err(TransportError::new(TransportErrorKind::Refused, why));
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(format!(
                "only http and https addresses are allowed, not `{}`",
                url.scheme()
            ));
        }
        let port = url.port_or_known_default().unwrap_or(80);
        let literal = |address: IpAddr| {
            if is_public(address) || self.allow.admits_address(address, port) {
                Ok(Verdict::Admitted)
            } else {
                refuse(format!(
                    "{address}:{port} is not a public address; the operator can allow it under [egress] allow"
                ))
            }
        };
        match url.host() {
            Some(Host::Ipv4(address)) => literal(address.into()),
            Some(Host::Ipv6(address)) => literal(address.into()),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                if self.allow.admits_host(name, port) {
                    return Ok(Verdict::Admitted);
                }
                if !is_local(name) {
                    return Ok(Verdict::ByName);
                }
                let [v4, v6] = [LOOPBACK_V4, LOOPBACK_V6].map(|address| {
                    name.eq_ignore_ascii_case("localhost")
                        && self.allow.admits_address(address, port)
                });
                if v4 || v6 {
                    return Ok(Verdict::Loopback { v4, v6 });
                }
                refuse(format!(
                    "{name}:{port} is this machine; the operator can allow it under [egress] allow"
                ))
            }
            None => refuse("the address has no host".to_owned()),
        }
    }
}

/// Whether a name never leads anywhere else, whatever is asked about it.
fn is_local(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

enum Verdict {
    /// Allowed wherever it leads.
    Admitted,
    /// Allowed if the name resolves to an allowed address.
    ByName,
    /// `localhost`, as far as its addresses are allowed.
    Loopback { v4: bool, v6: bool },
}

/// A client for each verdict, because a resolver does not learn which port it resolves for.
#[derive(Debug)]
struct Guarded {
    guard: Guard,
    strict: ReqwestTransport,
    open: ReqwestTransport,
    loopback_v4: ReqwestTransport,
    loopback_v6: ReqwestTransport,
    loopback: ReqwestTransport,
}

#[async_trait]
impl Transport for Guarded {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let uri = request.uri().clone();
        let url = Url::parse(&uri.to_string()).map_err(|error| {
            TransportError::new(TransportErrorKind::Request, error).with_uri(&uri)
        })?;
        match self.guard.judge(&url).map_err(|refusal| refusal.with_uri(&uri))? {
            Verdict::Admitted => self.open.send(request).await,
            Verdict::ByName => self.strict.send(request).await,
            Verdict::Loopback { v6: false, .. } => self.loopback_v4.send(request).await,
            Verdict::Loopback { v4: false, .. } => self.loopback_v6.send(request).await,
            Verdict::Loopback { .. } => self.loopback.send(request).await,
        }
    }
}

struct Resolver {
    allow: Arc<AllowList>,
    scope: Scope,
}

/// Where names may lead.
#[derive(Clone, Copy)]
enum Scope {
    /// To public and allowed addresses.
    Judged,
    Anywhere,
    /// To these, whatever a look-up would say.
    Only(&'static [IpAddr]),
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, scope) = (Arc::clone(&self.allow), self.scope);
        if let Scope::Only(addresses) = scope {
            let addresses = addresses.iter().map(|address| SocketAddr::new(*address, 0));
            return Box::pin(std::future::ready(Ok(Box::new(addresses) as Addrs)));
        }
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let admitted = admitted(found, &allow, matches!(scope, Scope::Anywhere));
            if admitted.is_empty() {
                let why = format!(
                    "{REFUSED}: `{}` has no public address; the operator can allow it under [egress] allow",
                    name.as_str()
                );
                return Err(why.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// Every address of an answer is judged: one public address does not vouch for the others.
fn admitted(found: Vec<SocketAddr>, allow: &AllowList, admit_all: bool) -> Vec<SocketAddr> {
    let admit = |address: IpAddr| admit_all || is_public(address) || allow.admits_any_port(address);
    found.into_iter().filter(|address| admit(address.ip())).collect()
}

#[cfg(test)]
mod tests;
