//! Agents that are kept under a name.

use crate::wire::object;
use crate::{AgentConfig, AgentId, EnvironmentChoice, PageToken, Tool};

object! {
    /// An agent with instructions, tools and a sandbox of its own.
    ///
    /// It is both the body of `POST /agents` and the reply.
    ///
    /// ```
    /// use interactions_types::{Agent, CreateInteraction, GoogleSearch, Target};
    ///
    /// let agent = Agent::new("research-assistant")
    ///     .base_agent("antigravity-preview-09-2026")
    ///     .system_instruction("Answer with sources.")
    ///     .base_environment("remote")
    ///     .tools(vec![GoogleSearch::new().into()]);
    /// let request = CreateInteraction::new(Target::agent(&agent.id), "What is new?");
    /// assert_eq!(serde_json::to_value(&request)?["agent"], "research-assistant");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Agent {
        required {
            /// The name by which interactions ask for it.
            id: AgentId,
        }
        optional {
            /// The agent of the service that it is made from.
            base_agent: AgentId,
            /// What it is for.
            description: String,
            /// What it keeps to.
            system_instruction: String,
            /// What it may call.
            tools: Vec<Tool>,
            /// The settings of the agent that it is made from.
            agent_config: AgentConfig,
            /// The sandbox from which each of its own begins.
            base_environment: EnvironmentChoice,
        }
    }
}

object! {
    /// The query of `GET /agents`.
    pub struct ListAgentsQuery {
        required {}
        optional {
            /// How many agents at most.
            page_size: i64,
            /// Where the page begins: the `next_page_token` of the page before.
            page_token: PageToken,
            /// The collection to list.
            parent: String,
        }
    }
}

object! {
    /// The reply of `GET /agents`.
    pub struct AgentListResponse {
        required {}
        default {
            /// The agents of this page.
            agents: Vec<Agent>,
            /// The agents of this page where the service answers in the form of its reference's
            /// examples, which have them here instead of in `agents`.
            data: Vec<Agent>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}
