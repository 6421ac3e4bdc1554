//! Identifiers and names, one newtype each.

use crate::wire::id;

id! {
    /// The id of a stored interaction, for example `v1_ChdPU0F4…`. Opaque.
    pub struct InteractionId;

    /// The id that joins a tool call with its result (`id` on calls, `call_id` on results).
    pub struct CallId;

    /// The id of one stream event, the point from which a stream can be resumed. Opaque.
    pub struct EventId;

    /// The name of a model, for example `gemini-3.8-flash`.
    pub struct ModelId;

    /// The name of an agent, for example `deep-research-preview-04-2026`.
    pub struct AgentId;

    /// The id of a sandbox that agents work in.
    pub struct EnvironmentId;

    /// The id of a schedule on which an agent works.
    pub struct TriggerId;

    /// The id of one run of a trigger.
    pub struct TriggerExecutionId;

    /// The id of a stored credential.
    pub struct CredentialId;

    /// The id of a stored voice.
    pub struct VoiceId;

    /// The id of a registered webhook.
    pub struct WebhookId;

    /// The id of a batch job.
    pub struct BatchId;

    /// The place in a list at which its next page begins. Opaque.
    pub struct PageToken;
}
