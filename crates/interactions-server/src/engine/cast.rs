//! Who answers: from the name in a request to a model, and what goes before the request.

use std::sync::Arc;

use http::StatusCode;
use interactions_types::{AgentConfig, AgentId, CreateInteraction, Target, Tool};

use super::Engine;
use crate::error::Refusal;
use crate::model::{AgentTask, Model};

/// Who answers, and what they are told before the request's own words.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) model: Arc<dyn Model>,
    /// Its id at its own server.
    pub(super) upstream_model: String,
    /// Set when that is the id of an agent there.
    pub(super) agent: Option<AgentTask>,
    pub(super) system: Option<String>,
    pub(super) tools: Vec<Tool>,
}

impl Engine {
    /// Looks up who answers a request.
    pub(super) async fn cast(
        &self,
        tenant: &str,
        request: &CreateInteraction,
    ) -> Result<Cast, Refusal> {
        match request.named_target() {
            Some(Target::Model(model)) => self.model(model.as_str()),
            Some(Target::Agent(id)) => {
                let config = request.agent_config.as_ref();
                if let Some(cast) = self.known_agent(&id, config) {
                    return cast;
                }
                let stored = self.store.agent(tenant, id.as_str()).await?;
                match stored {
                    Some(record) => {
                        let mut agent = record.agent;
                        let mut tools = agent.tools.take().unwrap_or_default();
                        if let Some(sealed) = &record.secrets
                            && !self.vault.restore_tools(&mut tools, sealed)
                        {
                            return Err(Refusal::unavailable(format!(
                                "the secrets of agent `{id}` cannot be opened with this server's key"
                            )));
                        }
                        let config = config.or(agent.agent_config.as_ref());
                        let mut cast = self.base(agent.base_agent.as_ref(), config)?;
                        cast.system = joined(cast.system.take(), agent.system_instruction.as_ref());
                        cast.tools.extend(tools);
                        Ok(cast)
                    }
                    None => self.agent_elsewhere(&id, config).ok_or_else(|| unknown(&id)),
                }
            }
            _ => Err(Refusal::invalid("name exactly one of `model` and `agent`")),
        }
    }

    /// What an agent is made from: a model, or an agent that is no caller's.
    pub(super) fn base(
        &self,
        base: Option<&AgentId>,
        config: Option<&AgentConfig>,
    ) -> Result<Cast, Refusal> {
        let Some(base) = base else {
            return Err(Refusal::invalid(
                "`base_agent` is required: name a model of this server, or an agent",
            ));
        };
        match self.known_agent(base, config) {
            Some(cast) => cast,
            None => match self.model(base.as_str()) {
                Ok(cast) if cast.model.runs_agents() && config.is_some() => {
                    Ok(Cast { agent: Some(task(config)), ..cast })
                }
                other => other,
            },
        }
    }

    fn model(&self, id: &str) -> Result<Cast, Refusal> {
        let (model, upstream_model) = self.models.resolve(id).ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "model_not_found",
                format!("there is no model `{id}`"),
            )
        })?;
        Ok(Cast { model, upstream_model, agent: None, system: None, tools: Vec::new() })
    }

    /// An agent that was embedded, or stands in the configuration.
    fn known_agent(
        &self,
        id: &AgentId,
        config: Option<&AgentConfig>,
    ) -> Option<Result<Cast, Refusal>> {
        if let Some(model) = self.hosted.get(id.as_str()) {
            return Some(Ok(Cast {
                model: Arc::clone(model),
                upstream_model: id.as_str().to_owned(),
                agent: Some(task(config)),
                system: None,
                tools: Vec::new(),
            }));
        }
        let known = self.config.agents.iter().find(|agent| *id == agent.id.as_str())?;
        Some(self.model(&known.model).map(|cast| Cast {
            system: known.system_instruction.clone(),
            tools: known.tools.clone(),
            ..cast
        }))
    }

    /// An agent of another server.
    fn agent_elsewhere(&self, id: &AgentId, config: Option<&AgentConfig>) -> Option<Cast> {
        let cast = self.model(id.as_str()).ok().filter(|cast| cast.model.runs_agents())?;
        Some(Cast { agent: Some(task(config)), ..cast })
    }
}

fn task(config: Option<&AgentConfig>) -> AgentTask {
    AgentTask { config: config.cloned() }
}

fn unknown(id: &AgentId) -> Refusal {
    Refusal::not_found(format!("there is no agent `{id}`"))
}

/// Instructions, the general ones first.
pub(super) fn joined(first: Option<String>, more: Option<&String>) -> Option<String> {
    match (first, more) {
        (Some(first), Some(more)) => Some(format!("{first}\n\n{more}")),
        (first, more) => first.or_else(|| more.cloned()),
    }
}
