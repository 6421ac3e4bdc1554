//! The request that creates an interaction.

use std::collections::BTreeMap;

use crate::wire::object;
use crate::{
    AgentConfig, AgentId, EnvironmentChoice, GenerationConfig, Input, InteractionId, Modality,
    ModelId, OneOrMany, ResponseFormat, SafetySetting, ServiceTier, Tool, WebhookConfig,
};

/// Who answers: a model or an agent, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A model (`model` on the wire).
    Model(ModelId),
    /// An agent (`agent` on the wire).
    Agent(AgentId),
}

impl Target {
    /// A model by its name.
    #[must_use]
    pub fn model(id: impl Into<ModelId>) -> Self {
        Self::Model(id.into())
    }

    /// An agent by its name.
    #[must_use]
    pub fn agent(id: impl Into<AgentId>) -> Self {
        Self::Agent(id.into())
    }
}

impl From<ModelId> for Target {
    fn from(id: ModelId) -> Self {
        Self::Model(id)
    }
}

impl From<AgentId> for Target {
    fn from(id: AgentId) -> Self {
        Self::Agent(id)
    }
}

impl From<&str> for Target {
    /// A bare name is a model's; agents are named by [`Target::agent`].
    fn from(model: &str) -> Self {
        Self::model(model)
    }
}

impl From<String> for Target {
    fn from(model: String) -> Self {
        Self::model(model)
    }
}

object! {
    /// The body of `POST /interactions`.
    ///
    /// ```
    /// use interactions_types::{CreateInteraction, Function, GenerationConfig};
    ///
    /// let request = CreateInteraction::new("gemini-3.8-flash", "What is the weather in Paris?")
    ///     .system_instruction("Answer in one sentence.")
    ///     .tools(vec![Function::new("get_weather").description("The weather in a city.").into()])
    ///     .generation_config(GenerationConfig::new().max_output_tokens(500));
    /// assert_eq!(serde_json::to_value(&request)?["model"], "gemini-3.8-flash");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct CreateInteraction {
        optional {
            /// What is put in. Absent only when an answer is continued by its token.
            input: Input,
            /// What the model should keep to. Holds for this interaction only.
            system_instruction: String,
            /// What the model may call. Holds for this interaction only.
            tools: Vec<Tool>,
            /// How the model generates. Holds for this interaction only.
            generation_config: GenerationConfig,
            /// The stored interaction whose conversation this one continues.
            previous_interaction_id: InteractionId,
            /// Whether to answer as a stream of events. Default false.
            stream: bool,
            /// Whether the interaction is stored, so that it can be read and continued. Default true.
            store: bool,
            /// Whether to answer at once and work on without a connection. Default false.
            background: bool,
            /// What the output should be, one format or a list.
            response_format: OneOrMany<ResponseFormat>,
            /// Speed and price.
            service_tier: ServiceTier,
            /// Marks for finding the interaction later: lower-case keys and values of up to 63 characters.
            labels: BTreeMap<String, String>,
            /// The token of an answer that was cut for length.
            continuation_token: String,
            /// The agent's settings.
            agent_config: AgentConfig,
            /// The sandbox: `remote`, an id, or an object.
            environment: EnvironmentChoice,
            /// Thresholds of the safety filters.
            safety_settings: Vec<SafetySetting>,
            /// Where to report the end of background work.
            webhook_config: WebhookConfig,
            /// The MIME type of the output.
            #[deprecated(note = "use the `mime_type` of `response_format`")]
            response_mime_type: String,
            /// The kinds of output.
            #[deprecated(note = "use a list as `response_format`")]
            response_modalities: Vec<Modality>,
            /// The name of a cached prefix.
            #[deprecated(note = "leave it out: the service caches by itself")]
            cached_content: String,
        }
        private {
            model: ModelId,
            agent: AgentId,
        }
    }
}

impl CreateInteraction {
    /// A request to a model or an agent with its input.
    #[must_use]
    pub fn new(target: impl Into<Target>, input: impl Into<Input>) -> Self {
        Self { input: Some(input.into()), ..Self::default() }.target(target)
    }

    /// Sends the request to another model or agent.
    #[must_use]
    pub fn target(mut self, target: impl Into<Target>) -> Self {
        (self.model, self.agent) = match target.into() {
            Target::Model(model) => (Some(model), None),
            Target::Agent(agent) => (None, Some(agent)),
        };
        self
    }

    /// Who answers; `None` when a decoded body names neither or both.
    #[must_use]
    pub fn named_target(&self) -> Option<Target> {
        match (&self.model, &self.agent) {
            (Some(model), None) => Some(Target::Model(model.clone())),
            (None, Some(agent)) => Some(Target::Agent(agent.clone())),
            _ => None,
        }
    }

    /// Whether a decoded body names a model and an agent.
    #[must_use]
    pub fn names_both(&self) -> bool {
        self.model.is_some() && self.agent.is_some()
    }

    /// Whether the interaction is to be stored, which is the default.
    #[must_use]
    pub fn stores(&self) -> bool {
        self.store.unwrap_or(true)
    }
}
