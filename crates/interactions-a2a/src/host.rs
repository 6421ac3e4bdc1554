//! Hosting agents: tasks that outlive their callers, over JSON-RPC and HTTP+JSON.

mod agent;
pub mod auth;
mod engine;
mod face;
mod feed;
mod operations;
mod push;
mod turn;
mod vault;
mod wakes;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use interactions_client::Client;
use interactions_transport::guard::Guard;
use interactions_types::AgentId;
use tokio::net::{TcpListener, ToSocketAddrs};

pub use agent::HostedAgent;
pub use vault::SecretKey;

use crate::card::{Card, CardSigner};
use crate::executor::InteractionsExecutor;
use crate::index::{Index, MemoryIndex};
use auth::{Anonymous, Authenticator};
use engine::Engine;
use face::{Face, Setup};
use push::Pushes;
use vault::Vault;

/// The largest body that a request may have, unless it is said otherwise.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// How long callers have to hear the last words of a host that stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Describes a host of agents.
///
/// Tasks are kept in an [`Index`]; without one they live as long as the process. What callers must
/// show is an [`Authenticator`]'s to say; without one everybody may call, which is refused beyond
/// this machine.
///
/// ```no_run
/// use interactions_a2a::{A2aHost, Card, Skill, SqliteIndex};
/// use interactions_client::Client;
///
/// # async fn host() -> Result<(), Box<dyn std::error::Error>> {
/// let card = Card::new("Researcher", "Reads the web and writes reports.")
///     .skill(Skill::new("research", "Research a question").tag("research"));
/// A2aHost::new(Client::from_env()?, "deep-research-pro")
///     .card(card)
///     .index(SqliteIndex::open("tasks.db").await?)
///     .serve("127.0.0.1:4000")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct A2aHost {
    /// The route to the agent that is meant when none is named.
    default: String,
    agents: BTreeMap<String, HostedAgent>,
    index: Arc<dyn Index>,
    authenticator: Arc<dyn Authenticator>,
    base_url: Option<String>,
    signer: Option<CardSigner>,
    secret: Option<SecretKey>,
    guard: Option<Guard>,
    push: bool,
    streaming: bool,
    legacy: bool,
    repeats: bool,
    #[cfg(feature = "grpc")]
    grpc: bool,
    body_limit: usize,
}

impl A2aHost {
    /// Hosts an agent of an Interactions endpoint.
    pub fn new(client: Client, agent: impl Into<AgentId>) -> Self {
        let id = String::from(agent.into());
        let target = interactions_types::Target::agent(id.clone());
        let executor = InteractionsExecutor::new(client, target);
        let card = Card::new(&*id, format!("The agent `{id}`."));
        Self::with_agent(id, HostedAgent::new(card, executor))
    }

    /// Hosts an agent of any kind, reached by this route and by none.
    pub fn with_agent(route: impl Into<String>, agent: HostedAgent) -> Self {
        let default = route.into();
        Self {
            agents: BTreeMap::from([(default.clone(), agent)]),
            default,
            index: Arc::new(MemoryIndex::new()),
            authenticator: Arc::new(Anonymous),
            base_url: None,
            signer: None,
            secret: None,
            guard: None,
            push: true,
            streaming: true,
            legacy: false,
            repeats: false,
            #[cfg(feature = "grpc")]
            grpc: false,
            body_limit: BODY_LIMIT,
        }
    }

    /// What the first agent says of itself.
    pub fn card(mut self, card: Card) -> Self {
        if let Some(agent) = self.agents.get_mut(&self.default) {
            agent.card = card;
        }
        self
    }

    /// Hosts another agent beside, reached by this route: the `tenant` of requests, or the first
    /// segment of paths.
    pub fn agent(mut self, route: impl Into<String>, agent: HostedAgent) -> Self {
        self.agents.insert(route.into(), agent);
        self
    }

    /// Keeps tasks here.
    pub fn index(mut self, index: impl Index) -> Self {
        self.index = Arc::new(index);
        self
    }

    /// Asks this who calls. Cards declare what it demands.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Arc::new(authenticator);
        self
    }

    /// Where callers reach the host, as cards tell it: `https://agents.example.com`.
    ///
    /// It never comes from a request, whose sender could name any address. Behind a proxy that
    /// ends TLS, this is the proxy's address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// Signs cards.
    pub fn sign_cards(mut self, signer: CardSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Seals the credentials of push configurations with this key; without one they are lost with
    /// the process.
    pub fn secret_key(mut self, key: SecretKey) -> Self {
        self.secret = Some(key);
        self
    }

    /// Lets push notifications reach what this guard allows, beside public addresses.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Whether push notifications are offered; they are by default.
    pub fn push_notifications(mut self, offered: bool) -> Self {
        self.push = offered;
        self
    }

    /// Whether streams are offered; they are by default. Where proxies let no stream through, it is
    /// better to say so: callers then ask for the task again.
    pub fn streaming(mut self, offered: bool) -> Self {
        self.streaming = offered;
        self
    }

    /// Whether callers that speak protocol 0.3 are served too; they are not by default.
    pub fn legacy(mut self, served: bool) -> Self {
        self.legacy = served;
        self
    }

    /// Whether the gRPC binding is served beside the others, on the same address; it is not by
    /// default. Cards name it. It needs HTTP/2, so a proxy in front must speak that too, and it
    /// cannot be nested under a path.
    #[cfg(feature = "grpc")]
    pub fn grpc(mut self, served: bool) -> Self {
        self.grpc = served;
        self
    }

    /// Whether a message id may begin a task again and again. By default it begins one: a caller
    /// who has not heard the answer can send the message once more, and gets the same task.
    ///
    /// Test kits that use their ids several times need this.
    pub fn repeated_messages(mut self, begin_anew: bool) -> Self {
        self.repeats = begin_anew;
        self
    }

    /// The largest body in bytes that a request may have; 32 MiB by default.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Starts the host without a socket: its [router](Host::router) is a tower service. Tasks that
    /// an earlier process has left are taken up.
    ///
    /// # Errors
    /// [`HostError`] when [`base_url`](Self::base_url) is missing, or the index does not open.
    pub async fn build(self) -> Result<Host, HostError> {
        let base_url = self.base_url.clone().ok_or_else(|| {
            HostError::new("a host without an address of its own needs `base_url`, for its cards")
        })?;
        self.start(base_url).await
    }

    /// Listens on an address and serves until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// [`HostError`] when it cannot start, or connections can no longer be accepted.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<(), HostError> {
        let (host, listener) = self.bind(address).await?;
        host.serve(listener, stop_signal()).await
    }

    /// Listens on an address, for a host whose cards name that address unless
    /// [`base_url`](Self::base_url) names another.
    ///
    /// # Errors
    /// [`HostError`] when the address cannot be had, or would let everybody in.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<(Host, TcpListener), HostError> {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|error| HostError::new(format!("cannot listen there: {error}")))?;
        let local = listener.local_addr().map_err(|error| HostError::new(error.to_string()))?;
        let is_open = self.authenticator.schemes().is_empty();
        if is_open && !local.ip().is_loopback() {
            return Err(HostError::new(format!(
                "listening on {local} would let everybody in: add an authenticator, or listen on 127.0.0.1"
            )));
        }
        let base_url = self.base_url.clone().unwrap_or_else(|| format!("http://{local}"));
        Ok((self.start(base_url).await?, listener))
    }

    async fn start(self, base_url: String) -> Result<Host, HostError> {
        let none =
            || Guard::new(Vec::<String>::new()).map_err(|error| HostError::new(error.to_string()));
        let guard = match self.guard {
            Some(guard) => guard,
            None => none()?,
        };
        let egress = guard.transport().map_err(|error| HostError::new(error.to_string()))?;
        let secret = match self.secret {
            Some(secret) => secret,
            None => SecretKey::generate().map_err(|error| HostError::new(error.to_string()))?,
        };
        let pushes = Pushes::new(guard, egress, Vault::new(&secret), self.push);
        let agents = self.agents.into_iter().map(|(route, agent)| (route, Arc::new(agent)));
        let agents = agents.collect();
        let engine = Engine::new(self.index, agents, self.default, pushes, self.repeats);
        engine.recover().await.map_err(|error| HostError::new(error.to_string()))?;
        let setup = Setup {
            authenticator: self.authenticator,
            base_url,
            signer: self.signer,
            body_limit: self.body_limit,
            streaming: self.streaming,
            legacy: self.legacy,
            #[cfg(feature = "grpc")]
            grpc: self.grpc,
        };
        let face = Face::new(engine, setup)
            .map_err(|error| HostError::new(format!("a card cannot be signed: {error}")))?;
        Ok(Host { face: Arc::new(face) })
    }
}

/// A host at work. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    face: Arc<Face>,
}

impl Host {
    /// The host as an axum router, to nest under the path of its base URL or to serve yourself.
    pub fn router(&self) -> Router {
        face::router(&self.face)
    }

    /// Where callers reach it, as its cards tell it.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.face.base_url()
    }

    /// Serves until `shutdown` completes, then lets go: tasks at work go on at their endpoint, and
    /// the next process takes them up.
    ///
    /// # Errors
    /// [`HostError`] when connections can no longer be accepted.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HostError> {
        // Events are small and must not wait for the caller to acknowledge the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
        });
        let closing = self.face.engine.closing.clone();
        let stopping = closing.clone();
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(async move {
            shutdown.await;
            // Streams have no end of their own.
            stopping.cancel();
        });
        let served = tokio::select! {
            served = served.into_future() => served,
            // Who does not read what it was sent is not waited for.
            () = async { closing.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => Ok(()),
        };
        self.close().await;
        served.map_err(|error| HostError::new(error.to_string()))
    }

    /// Stops. Tasks at work go on at their endpoint, and the next process takes them up.
    pub async fn close(&self) {
        self.face.engine.close().await;
    }
}

/// Why a host does not run.
#[derive(Debug)]
pub struct HostError(String);

impl HostError {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for HostError {}

/// Completes on SIGINT and SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
