//! The agents that callers keep: checked when they are made, sealed where they hold secrets.

use http::StatusCode;
use interactions_types::{Agent, AgentId};

use super::admission::check_tools;
use super::{Engine, new_id};
use crate::error::Refusal;
use crate::secrets::take_secrets;
use crate::store::AgentRecord;
use crate::{clock, coverage};

/// How long an id may be, in bytes.
const LONGEST_ID: usize = 128;

/// An agent as callers see it.
#[derive(Debug)]
pub(crate) struct ShownAgent {
    pub(crate) agent: Agent,
    /// When it was made; absent for those that came with the server.
    pub(crate) created: Option<i64>,
}

impl Engine {
    /// Keeps an agent.
    pub(crate) async fn create_agent(
        &self,
        tenant: &str,
        mut agent: Agent,
    ) -> Result<ShownAgent, Refusal> {
        coverage::check(&agent, |_| false)?;
        if agent.id.as_str().is_empty() {
            agent.id = new_id("agent-").into();
        }
        check_id(&agent.id)?;
        if agent.base_environment.is_some() {
            return Err(Refusal::invalid(
                "`base_environment` is not supported by this server, which has no sandboxes",
            ));
        }
        let cast = self.base(agent.base_agent.as_ref(), agent.agent_config.as_ref())?;
        if agent.agent_config.is_some() && cast.agent.is_none() {
            return Err(Refusal::invalid(
                "`agent_config` goes with a `base_agent` that is an agent; this one is a model",
            ));
        }
        let tools = [&cast.tools[..], agent.tools.as_deref().unwrap_or_default()].concat();
        check_tools(&tools, cast.model.as_ref())?;
        let secrets = self.vault.strip_tools(agent.tools.as_deref_mut().unwrap_or_default());
        let record = AgentRecord::new(agent, secrets, clock::now());
        let is_new = self.built_in(&record.agent.id).is_none()
            && self.store.add_agent(tenant, &record).await?;
        if !is_new {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "already_exists",
                format!("there is an agent `{}`; delete it first", record.agent.id),
            ));
        }
        Ok(shown(record))
    }

    /// Reads an agent.
    pub(crate) async fn agent(&self, tenant: &str, id: &AgentId) -> Result<ShownAgent, Refusal> {
        if let Some(agent) = self.built_in(id) {
            return Ok(agent);
        }
        let stored = self.store.agent(tenant, id.as_str()).await?;
        stored.map(shown).ok_or_else(|| unknown(id))
    }

    /// Agents in the order of their ids after `after`: those of the server first, then the caller's.
    ///
    /// Beside them is where the next page begins, unless this is the last.
    pub(crate) async fn list_agents(
        &self,
        tenant: &str,
        after: &AgentMark,
        size: u32,
    ) -> Result<(Vec<ShownAgent>, Option<AgentMark>), Refusal> {
        let size = size as usize;
        let mut agents = Vec::new();
        let mut stored_after = "";
        match after {
            AgentMark::Stored(id) => stored_after = id,
            AgentMark::BuiltIn(id) => {
                let mut ids = self.built_in_ids();
                ids.retain(|known| known.as_str() > id.as_str());
                agents.extend(ids.iter().filter_map(|id| self.built_in(id)).take(size + 1));
            }
        }
        let built_in = agents.len();
        if built_in <= size {
            let room = u32::try_from(size + 1 - built_in).unwrap_or(u32::MAX);
            let stored = self.store.agents(tenant, stored_after, room).await?;
            agents.extend(stored.into_iter().map(shown));
        }
        let more = agents.len() > size;
        agents.truncate(size);
        let next = agents.last().filter(|_| more).map(|last| {
            let id = last.agent.id.as_str().to_owned();
            match agents.len() <= built_in {
                true => AgentMark::BuiltIn(id),
                false => AgentMark::Stored(id),
            }
        });
        Ok((agents, next))
    }

    /// Forgets an agent. What it has done stays.
    pub(crate) async fn delete_agent(&self, tenant: &str, id: &AgentId) -> Result<(), Refusal> {
        if self.built_in(id).is_some() {
            return Err(Refusal::precondition(format!(
                "agent `{id}` belongs to the server; whoever runs the server can remove it"
            )));
        }
        match self.store.remove_agent(tenant, id.as_str()).await? {
            true => Ok(()),
            false => Err(unknown(id)),
        }
    }

    fn built_in_ids(&self) -> Vec<AgentId> {
        let configured = self.config.agents.iter().map(|agent| agent.id.as_str());
        let mut ids: Vec<AgentId> =
            self.hosted.keys().map(String::as_str).chain(configured).map(Into::into).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// An agent that came with the server.
    fn built_in(&self, id: &AgentId) -> Option<ShownAgent> {
        if let Some(hosted) = self.hosted.get(id.as_str()) {
            let agent = Agent::new(id.clone()).description(hosted.label());
            return Some(ShownAgent { agent, created: None });
        }
        let known = self.config.agents.iter().find(|agent| *id == agent.id.as_str())?;
        let mut agent = Agent::new(id.clone()).base_agent(known.model.as_str());
        agent.description.clone_from(&known.description);
        agent.system_instruction.clone_from(&known.system_instruction);
        let mut tools = known.tools.clone();
        for tool in &mut tools {
            take_secrets(tool);
        }
        agent.tools = (!tools.is_empty()).then_some(tools);
        Some(ShownAgent { agent, created: None })
    }
}

/// After which agent a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgentMark {
    /// One of the server's, which come first.
    BuiltIn(String),
    /// One of the caller's.
    Stored(String),
}

fn shown(record: AgentRecord) -> ShownAgent {
    ShownAgent { agent: record.agent, created: Some(record.created) }
}

fn check_id(id: &AgentId) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text = id.as_str();
    if text.len() <= LONGEST_ID && text.chars().all(plain) && !text.starts_with('.') {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "`id` must have at most {LONGEST_ID} letters, digits, `-`, `_` and `.`, and not begin with a dot"
    )))
}

fn unknown(id: &AgentId) -> Refusal {
    Refusal::not_found(format!("there is no agent `{id}`"))
}
