//! Feature `remote`: other people's agents as tools of ours.
//!
//! [`A2aTool::from_card`] makes a [`Toolset`] of an agent anywhere: one tool for each skill, or one
//! for the agent if it has no more than one. [`guide::calling`](crate::guide::calling) shows it.

mod card;
mod decode;
mod error;
mod follow;
mod output;
mod peer;
mod place;
mod skill;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use interactions_agent::{RunState, Tool, ToolError, Toolset};
use interactions_transport::SharedTransport;
use interactions_transport::guard::Guard;
use tokio::sync::Mutex;
use url::Url;

use crate::card::CardVerifier;
use card::{Fetched, Reading, RemoteCard};
use peer::{Peer, Way};
use place::Places;
use skill::Manner;

pub use error::{RemoteError, RemoteErrorKind};
pub use skill::{CallDepth, RemoteSkill};

/// How long a card is good within a run.
const FRESH: Duration = Duration::from_secs(300);
const LIMIT: usize = 16 * 1024 * 1024;

/// An agent on the A2A network as a [`Toolset`]. Clones share what they know of it.
///
/// The card is fetched when a run begins, if it has changed, and is looked at closely: it comes over
/// HTTPS from a public address, sends its callers to its own origin only, and is signed by a trusted
/// key if [keys](A2aToolBuilder::verify) are given.
///
/// A call sends one message and follows the task, by a stream if the agent has streams; one that
/// breaks is taken up again. What the agent makes is the tool's result, what it says on the way is
/// the tool's progress. If it asks something, the run pauses, and the answer goes to the same task.
/// If the call is dropped, the task is cancelled.
///
/// ```no_run
/// use interactions_a2a::A2aTool;
/// use interactions_agent::Agent;
/// # fn example(client: interactions_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let librarian = A2aTool::from_card("https://librarian.example.com").bearer("a-key").build()?;
/// let agent = Agent::builder(client, "gemini-3.8-flash").toolset(librarian).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct A2aTool(Arc<Inner>);

struct Inner {
    url: Url,
    transport: SharedTransport,
    places: Places,
    verifier: Option<CardVerifier>,
    headers: HeaderMap,
    extensions: Vec<String>,
    prefix: String,
    limit: usize,
    idle: Duration,
    streaming: Option<bool>,
    manner: Manner,
    known: Mutex<Option<Fetched>>,
}

impl A2aTool {
    /// The agent whose card is at an address: the card's own, which ends in `.json`, or the one
    /// below which `/.well-known/agent-card.json` lies.
    pub fn from_card(url: impl Into<String>) -> A2aToolBuilder {
        A2aToolBuilder {
            url: url.into(),
            transport: None,
            places: Places::default(),
            verifier: None,
            headers: Vec::new(),
            extensions: Vec::new(),
            prefix: String::new(),
            limit: LIMIT,
            idle: Duration::from_secs(120),
            streaming: None,
            manner: Manner {
                streaming: true,
                time_limit: Duration::from_secs(1800),
                depth_limit: 5,
                model_answers: false,
                conversations: true,
            },
        }
    }

    /// The agent's tools, by its card of now.
    ///
    /// # Errors
    /// [`RemoteError`] when the card cannot be had, or is not to be trusted.
    pub async fn skills(&self) -> Result<Vec<RemoteSkill>, RemoteError> {
        self.fetched(false).await.map(|fetched| self.tools_of(&fetched.card))
    }

    async fn fetched(&self, within_run: bool) -> Result<Fetched, RemoteError> {
        let inner = &self.0;
        let mut known = inner.known.lock().await;
        if let Some(known) = known.as_ref().filter(|_| within_run)
            && known.at.elapsed() < FRESH
        {
            return Ok(known.clone());
        }
        let reading = Reading {
            places: &inner.places,
            verifier: inner.verifier.as_ref(),
            extensions: &inner.extensions,
        };
        let (transport, headers) = (&inner.transport, &inner.headers);
        match card::fetch(transport, &inner.url, headers, &reading, known.as_ref()).await {
            Ok(fetched) => Ok(known.insert(fetched).clone()),
            // A run that has begun does not end because a card cannot be had for a moment.
            Err(error) if within_run && error.is_cut() && known.is_some() => {
                tracing::warn!(%error, "the card of a remote agent is not renewed");
                known.clone().ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn tools_of(&self, card: &RemoteCard) -> Vec<RemoteSkill> {
        let inner = &self.0;
        let peer = Peer::new(Way {
            transport: inner.transport.clone(),
            binding: card.binding,
            url: card.url.to_string(),
            tenant: card.tenant.clone(),
            headers: inner.headers.clone(),
            extensions: inner.extensions.clone(),
            limit: inner.limit,
            idle: inner.idle,
        });
        let manner =
            Manner { streaming: inner.streaming.unwrap_or(card.streaming), ..inner.manner };
        skill::tools(&peer, (&card.name, &card.description), &card.skills, &inner.prefix, manner)
    }
}

#[async_trait]
impl Toolset for A2aTool {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        let fetched = self.fetched(run.turns() > 0).await.map_err(ToolError::new)?;
        let tools = self.tools_of(&fetched.card).into_iter();
        Ok(tools.map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect())
    }
}

impl fmt::Debug for A2aTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("A2aTool").field(&self.0.url.as_str()).finish()
    }
}

/// How a remote agent is called; made by [`A2aTool::from_card`].
#[must_use]
pub struct A2aToolBuilder {
    url: String,
    transport: Option<SharedTransport>,
    places: Places,
    verifier: Option<CardVerifier>,
    headers: Vec<(String, String)>,
    extensions: Vec<String>,
    prefix: String,
    limit: usize,
    idle: Duration,
    streaming: Option<bool>,
    manner: Manner,
}

impl A2aToolBuilder {
    /// Lets a place be reached that is not public, by a rule of the [`Guard`]: `127.0.0.1:4000`,
    /// `agents.internal`. A host that a rule names may also be reached without TLS.
    pub fn allow(mut self, rule: impl Into<String>) -> Self {
        self.places.allowed.push(rule.into());
        self
    }

    /// Lets the card send its callers, with their credentials, to another origin than its own.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.places.origins.push(origin.into());
        self
    }

    /// Another way to the network. It replaces the egress guard: what it reaches is its own affair.
    pub fn transport(mut self, transport: SharedTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Demands that the card is signed by one of these keys.
    pub fn verify(mut self, verifier: CardVerifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Says who calls: `Authorization: Bearer …`.
    pub fn bearer(self, token: impl fmt::Display) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// A header for every request, such as an API key. It is not shown in logs.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Uses an extension, whose rules the program keeps.
    pub fn extension(mut self, uri: impl Into<String>) -> Self {
        self.extensions.push(uri.into());
        self
    }

    /// Something in front of the tools' names: letters, digits and `_`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a call may take, default half an hour; then the task is cancelled. Time in which a
    /// person is asked does not count.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.manner.time_limit = limit;
        self
    }

    /// How long a stream may be silent, default two minutes, before it is taken for broken.
    pub fn idle_limit(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// How many bytes one answer or event may have; default 16 MiB.
    pub fn size_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// How many agents may be in a chain in which one calls the next; default 5. See [`CallDepth`].
    pub fn depth_limit(mut self, agents: u32) -> Self {
        self.manner.depth_limit = agents;
        self
    }

    /// Whether tasks are streamed; default: what the card says. Otherwise they are asked for now
    /// and then.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = Some(streaming);
        self
    }

    /// Whether the model answers what the agent asks; by default a person does. Logins stay with
    /// people.
    pub fn model_answers(mut self, model_answers: bool) -> Self {
        self.manner.model_answers = model_answers;
        self
    }

    /// Whether the model may go on with an earlier conversation, whose id results name; default yes.
    pub fn conversations(mut self, conversations: bool) -> Self {
        self.manner.conversations = conversations;
        self
    }

    /// The toolset. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`RemoteError`] when an address, a rule or a header cannot be as it is.
    pub fn build(self) -> Result<A2aTool, RemoteError> {
        let setup = |why: String| RemoteError::new(RemoteErrorKind::Setup, why);
        let url = place::card_url(&self.url)?;
        self.places.check(&url)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !self.prefix.chars().all(is_name) || self.prefix.len() > 32 {
            return Err(setup("a prefix has letters, digits and `_`, at most 32".to_owned()));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = peer::credential(name, value)?;
            headers.insert(name, value);
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let guard =
                    Guard::new(&self.places.allowed).map_err(|error| setup(error.to_string()))?;
                guard.transport()?
            }
        };
        Ok(A2aTool(Arc::new(Inner {
            url,
            transport,
            places: self.places,
            verifier: self.verifier,
            headers,
            extensions: self.extensions,
            prefix: self.prefix,
            limit: self.limit,
            idle: self.idle,
            streaming: self.streaming,
            manner: self.manner,
            known: Mutex::default(),
        })))
    }
}

impl fmt::Debug for A2aToolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("A2aToolBuilder")
            .field("url", &interactions_transport::redact_url(&self.url))
            .field("places", &self.places)
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}
