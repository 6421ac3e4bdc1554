//! Agents that are kept under a name.

use http::Method;
use interactions_types::{Agent, AgentId, AgentListResponse};

use crate::{Call, Client, Listing};

/// The calls on agents. Interactions use one by naming it as their target.
#[derive(Clone, Debug)]
pub struct Agents(pub(crate) Client);

impl Agents {
    /// Keeps an agent under its id.
    pub fn create(&self, agent: &Agent) -> Call<Agent> {
        Call::new(&self.0, "create_agent", Method::POST, &["agents"]).json(agent)
    }

    /// Reads an agent.
    pub fn get(&self, id: impl Into<AgentId>) -> Call<Agent> {
        Call::new(&self.0, "get_agent", Method::GET, &["agents", id.into().as_str()])
    }

    /// Lists agents.
    pub fn list(&self) -> Listing<AgentListResponse> {
        Listing::of(&self.0, "list_agents", &["agents"])
    }

    /// Removes an agent. What it has done stays.
    pub fn delete(&self, id: impl Into<AgentId>) -> Call<()> {
        Call::silent(&self.0, "delete_agent", Method::DELETE, &["agents", id.into().as_str()])
    }
}

impl Listing<AgentListResponse> {
    /// Only agents of this collection, as the service names it.
    pub fn parent(self, collection: impl Into<String>) -> Self {
        self.query("parent", collection)
    }
}
