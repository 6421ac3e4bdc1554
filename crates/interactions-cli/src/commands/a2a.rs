//! `interactions a2a`: agents on the A2A network.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use interactions_a2a::auth::BearerKeys;
use interactions_a2a::{
    A2aHost, Card, CardSigner, HostedAgent, InteractionsExecutor, SecretKey, SqliteIndex,
};
use interactions_client::Client;
use interactions_mcp::McpEndpoint;
use interactions_server::{Config, KeyConfig, Server};
use interactions_transport::guard::Guard;
use interactions_transport::{SharedTransport, TowerTransport};
use interactions_types::{CreateInteraction, Target, Tool};

use sha2::{Digest, Sha256};

use super::serve::{log_to_stderr, stop_signal};
use crate::failure::Failure;
use crate::place::Place;

/// Whose interactions the host's are, in a database that a server may use too.
const TENANT: &str = "a2a";

/// Agent2Agent: put agents on the A2A network.
#[derive(Debug, Args)]
pub(crate) struct A2a {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Host an agent, with a server of its own behind it.
    Serve(Serve),
}

/// Host an agent over JSON-RPC and HTTP+JSON, with tasks in a database.
#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// The address to listen on; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    who: Who,
    /// What the model is told about its task.
    #[arg(long, value_name = "TEXT", conflicts_with = "agent")]
    instructions: Option<String>,
    /// An MCP server whose tools the model may use; may be repeated.
    #[arg(long, value_name = "URL", conflicts_with = "agent")]
    mcp: Vec<String>,
    /// The name on the agent's card [default: the model's or agent's id].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the card says about the agent.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Sign cards with this private key, a PEM file (PKCS#8, P-256 or Ed25519).
    #[arg(long, value_name = "FILE")]
    card_key: Option<PathBuf>,
    /// Also serve callers that speak protocol 0.3.
    #[arg(long)]
    legacy: bool,
    /// Serve gRPC too, on the same address.
    #[cfg(feature = "grpc")]
    #[arg(long)]
    grpc: bool,
    /// Let a message id begin a task each time it is sent, as test kits want it.
    #[arg(long)]
    repeated_messages: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Who {
    /// The model that answers.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The agent that answers when callers name none; the configuration's other agents are hosted
    /// beside it.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
}

impl A2a {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
        }
    }
}

impl Serve {
    async fn run(self) -> Result<(), Failure> {
        log_to_stderr();
        let Self { place, listen, who, instructions, mcp, name, description, .. } = self;
        let mut config = place.configuration()?;
        if let Some(listen) = listen {
            config.listen = listen;
        }
        let tools = mcp.iter().map(|url| mcp_tool(&mut config, url));
        let tools = tools.collect::<Result<Vec<Tool>, Failure>>()?;
        let authenticator = authenticator(&config)?;
        let index = SqliteIndex::open(index_file(&config)?).await.map_err(Failure::new)?;
        let secret = secret(&config)?;
        let guard = Guard::new(&config.egress.allow).map_err(Failure::new)?;
        let (address, base_url) = (config.listen.clone(), config.a2a.base_url.clone());
        let body_limit = config.limits.body_bytes;
        let others: Vec<String> = config.agents.iter().map(|agent| agent.id.clone()).collect();

        let server = Server::builder(config).build().await?;
        let transport = TowerTransport::new(server.trusted_router(TENANT));
        let client = Client::builder()
            .base_url("http://in-process")
            .transport(SharedTransport::new(transport))
            .build()?;
        let has_keys = authenticator.is_some();
        let hosted = |id: &str, request: CreateInteraction, card: Card| {
            let executor = InteractionsExecutor::with_request(client.clone(), request);
            let agent = HostedAgent::new(card, executor);
            // Who has a key may ask for the card again and gets it with proof of who answers.
            let agent = if has_keys { agent.extended_card(|_, card| card) } else { agent };
            (id.to_owned(), agent)
        };
        let of_agent =
            |id: &str, card: Card| hosted(id, CreateInteraction::new(Target::agent(id), ""), card);
        let card = |id: &str| {
            let name = name.clone().unwrap_or_else(|| id.to_owned());
            let about = description.clone().or_else(|| instructions.clone());
            Card::new(name, about.unwrap_or_else(|| format!("The agent `{id}`.")))
        };
        let (route, agent) = match (&who.model, &who.agent) {
            (Some(model), _) => {
                let mut request = CreateInteraction::new(model.as_str(), "");
                request.system_instruction.clone_from(&instructions);
                request.tools = (!tools.is_empty()).then_some(tools);
                hosted(model, request, card(model))
            }
            (None, Some(agent)) => of_agent(agent, card(agent)),
            (None, None) => return Err(Failure::new("name a --model or an --agent")),
        };
        let host = A2aHost::with_agent(route.clone(), agent);
        #[cfg(feature = "grpc")]
        let host = host.grpc(self.grpc);
        let mut host = host
            .index(index)
            .secret_key(secret)
            .guard(guard)
            .legacy(self.legacy)
            .repeated_messages(self.repeated_messages)
            .body_limit(body_limit);
        for id in others.iter().filter(|id| **id != route) {
            let (id, agent) = of_agent(id, Card::new(id.as_str(), format!("The agent `{id}`.")));
            host = host.agent(id, agent);
        }
        if let Some(keys) = authenticator {
            host = host.authenticator(keys);
        }
        if let Some(url) = base_url {
            host = host.base_url(url);
        }
        if let Some(file) = &self.card_key {
            host = host.sign_cards(signer(file)?);
        }
        let (host, listener) = host.bind(address.as_str()).await.map_err(Failure::new)?;
        let local = listener.local_addr().map_err(Failure::new)?;
        {
            let mut stdout = std::io::stdout().lock();
            // A parent that closed the pipe does not want to know.
            let _ = writeln!(stdout, "listening on http://{local}");
            let _ = stdout.flush();
        }
        tracing::info!(
            agent = route,
            card = format!("{}/.well-known/agent-card.json", host.base_url()),
            "ready"
        );
        let served = host.serve(listener, stop_signal()).await;
        server.close().await;
        served.map_err(Failure::new)
    }
}

/// An MCP server as a tool, which the server may reach because it was named here.
fn mcp_tool(config: &mut Config, url: &str) -> Result<Tool, Failure> {
    let endpoint = McpEndpoint::http(url).map_err(Failure::new)?;
    let parsed = http::Uri::try_from(url).map_err(Failure::new)?;
    if let Some(host) = parsed.host() {
        let port = parsed.port_u16();
        let usual = if parsed.scheme_str() == Some("https") { 443 } else { 80 };
        config.egress.allow.push(format!("{host}:{}", port.unwrap_or(usual)));
    }
    Ok(endpoint.as_server_tool().into())
}

/// The configuration's keys, if it has any.
fn authenticator(config: &Config) -> Result<Option<BearerKeys>, Failure> {
    let mut keys = HashMap::new();
    for (index, entry) in config.auth.keys.iter().enumerate() {
        keys.insert(key(index, entry)?, entry.tenant.clone());
    }
    if keys.is_empty() {
        return Ok(None);
    }
    BearerKeys::new(keys).map(Some).map_err(Failure::new)
}

fn key(index: usize, entry: &KeyConfig) -> Result<String, Failure> {
    let place = format!("`auth.keys[{index}]`");
    match (&entry.key, &entry.key_env) {
        (Some(key), None) if !key.trim().is_empty() => Ok(key.clone()),
        (None, Some(name)) => std::env::var(name)
            .map_err(|_| Failure::new(format!("{place} names {name}, which is not set"))),
        _ => Err(Failure::new(format!("{place} needs either key or key_env"))),
    }
}

/// The index of tasks lies beside the database.
fn index_file(config: &Config) -> Result<PathBuf, Failure> {
    Ok(config.key_file()?.with_file_name("a2a.db"))
}

fn secret(config: &Config) -> Result<SecretKey, Failure> {
    match &config.secrets.key_env {
        Some(name) => {
            let text = std::env::var(name).map_err(|_| {
                Failure::new(format!("secrets.key_env names {name}, which is not set"))
            })?;
            SecretKey::from_base64(&text)
                .ok_or_else(|| Failure::new(format!("{name} must hold 32 bytes in base64")))
        }
        None => {
            let file = config.key_file()?;
            SecretKey::from_file(&file)
                .map_err(|error| Failure::new(format!("the key file {}: {error}", file.display())))
        }
    }
}

fn signer(file: &PathBuf) -> Result<CardSigner, Failure> {
    let pem = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("the card key {} cannot be read: {error}", file.display()))
    })?;
    // The key's own thumbprint (RFC 7638) names it, so that another key has another name.
    let jwk = CardSigner::from_pem(&pem, "card").map_err(Failure::new)?.public_jwk();
    let members: BTreeMap<&str, &serde_json::Value> = ["crv", "kty", "x", "y"]
        .into_iter()
        .filter_map(|name| Some((name, jwk.get(name)?)))
        .collect();
    let digest = Sha256::digest(serde_json::to_string(&members).map_err(Failure::new)?);
    CardSigner::from_pem(&pem, URL_SAFE_NO_PAD.encode(digest)).map_err(Failure::new)
}
