//! Agents that callers keep under a name.

use std::fmt;

use async_trait::async_trait;
use interactions_types::Agent;

use super::StoreError;

/// Durable storage of agents. Every call is scoped by the caller's tenant.
#[async_trait]
pub trait AgentStore {
    /// Adds an agent; false when the tenant has one of this id.
    async fn add_agent(&self, tenant: &str, agent: &AgentRecord) -> Result<bool, StoreError>;

    /// Reads an agent.
    async fn agent(&self, tenant: &str, id: &str) -> Result<Option<AgentRecord>, StoreError>;

    /// Reads agents in the order of their ids, from the first one after `after`.
    async fn agents(
        &self,
        tenant: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, StoreError>;

    /// Removes an agent; false when there is none.
    async fn remove_agent(&self, tenant: &str, id: &str) -> Result<bool, StoreError>;
}

/// An agent as it is stored.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct AgentRecord {
    /// The agent, without the secrets of its tools.
    pub agent: Agent,
    /// Those secrets, sealed.
    pub secrets: Option<Vec<u8>>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

impl AgentRecord {
    /// An agent with its sealed secrets.
    #[must_use]
    pub fn new(agent: Agent, secrets: Option<Vec<u8>>, created: i64) -> Self {
        Self { agent, secrets, created }
    }
}

impl fmt::Debug for AgentRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentRecord").field("id", &self.agent.id).finish_non_exhaustive()
    }
}
