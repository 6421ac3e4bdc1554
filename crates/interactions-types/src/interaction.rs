//! The interaction itself.

use std::collections::BTreeMap;

use crate::wire::{object, open_enum};
use crate::{
    AgentConfig, AgentId, ApiError, EnvironmentChoice, EnvironmentId, GenerationConfig, Input,
    InteractionId, Modality, ModelId, OneOrMany, ResponseFormat, SafetySetting, Step, Tool, Usage,
    WebhookConfig,
};

object! {
    /// One turn of a conversation or one task: what was asked, what happened, how it stands.
    ///
    /// The service sends it whole in replies and in part in the first and last event of a stream.
    pub struct Interaction {
        required {
            /// The id under which it is stored; empty when it is not.
            id: InteractionId,
            /// Where it is in its life.
            status: Status,
        }
        default {
            /// What happened, in order.
            ///
            /// Creating returns the steps of this call; reading a stored interaction
            /// also gives the `user_input` steps.
            steps: Vec<Step>,
        }
        optional {
            /// Always `interaction`.
            object: String,
            /// Always `model`; only Vertex sends it.
            role: String,
            /// The model that answered.
            model: ModelId,
            /// The agent that worked.
            agent: AgentId,
            /// When it was created, RFC 3339.
            created: String,
            /// When it last changed, RFC 3339.
            updated: String,
            /// What it cost.
            usage: Usage,
            /// The interaction that this one continues.
            previous_interaction_id: InteractionId,
            /// Faults recorded on the way; a failed interaction says here why.
            errors: Vec<ApiError>,
            /// The token with which the next hop continues an answer that was cut for length.
            continuation_token: String,
            /// The input, where the service echoes it.
            input: Input,
            /// The tools, where the service echoes them.
            tools: Vec<Tool>,
            /// The system instruction, where the service echoes it.
            system_instruction: String,
            /// The generation settings, where the service echoes them.
            generation_config: GenerationConfig,
            /// The labels given at creation.
            labels: BTreeMap<String, String>,
            /// The tier that served it.
            service_tier: ServiceTier,
            /// The sandbox that it used.
            environment_id: EnvironmentId,
            /// The sandbox settings, where the service echoes them.
            environment: EnvironmentChoice,
            /// The agent's settings, where the service echoes them.
            agent_config: AgentConfig,
            /// The asked-for output, where the service echoes it.
            response_format: OneOrMany<ResponseFormat>,
            /// The MIME type of the output, where the service echoes it.
            #[deprecated(note = "use the `mime_type` of `response_format`")]
            response_mime_type: String,
            /// The kinds of output, where the service echoes them.
            #[deprecated(note = "use `response_format`, which is a list when there are several")]
            response_modalities: Vec<Modality>,
            /// The safety settings, where the service echoes them.
            safety_settings: Vec<SafetySetting>,
            /// The webhook settings, where the service echoes them.
            webhook_config: WebhookConfig,
            /// The name of a cached prefix, where the service echoes it.
            #[deprecated(note = "use `total_cached_tokens` of `usage`")]
            cached_content: String,
        }
    }
}

open_enum! {
    /// Where an interaction is in its life.
    pub enum Status {
        /// Waiting to run.
        Queued = "queued",
        /// Running.
        InProgress = "in_progress",
        /// Ended for now: the client must answer function calls in a new interaction.
        RequiresAction = "requires_action",
        /// Ended for now: the answer was cut for length and goes on with the continuation token.
        RequiresContinuation = "requires_continuation",
        /// Ended well.
        Completed = "completed",
        /// Ended by an error; see `errors`.
        Failed = "failed",
        /// Ended by a cancel request.
        Cancelled = "cancelled",
        /// Ended early with partial results, for example at `max_output_tokens`.
        Incomplete = "incomplete",
        /// Former way of ending at a spent budget, now `incomplete`.
        BudgetExceeded = "budget_exceeded",
    }
}

impl Status {
    /// Whether the interaction is still queued or running, so that polling makes sense.
    ///
    /// A status that this crate does not know counts as not running: waiting for it could last for ever.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Queued | Self::InProgress)
    }
}

open_enum! {
    /// Speed and price of the service.
    pub enum ServiceTier {
        /// Cheaper, slower.
        Flex = "flex",
        /// The ordinary tier.
        Standard = "standard",
        /// Faster, dearer.
        Priority = "priority",
        /// When there is room.
        Deferred = "deferred",
    }
}
