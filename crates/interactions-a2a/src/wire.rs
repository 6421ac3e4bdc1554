//! The protocol's types, from the official `a2a-lf` crate, and what it lacks.
//!
//! This is the only module that names that crate. Its JSON is the protocol's (ProtoJSON, version
//! 1.0); what it is too lenient about is checked before decoding, by the host.

#[cfg(feature = "reverse")]
pub(crate) use a2a::{A2AError, FieldViolation, TypedDetail, errordetails::PROTOCOL_DOMAIN};
pub use a2a::{
    AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentInterface,
    AgentProvider, AgentSkill, ApiKeySecurityScheme, Artifact, AuthenticationInfo,
    CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, HttpAuthSecurityScheme,
    ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse,
    ListTasksRequest, ListTasksResponse, Message, OAuth2SecurityScheme, OAuthFlows,
    OpenIdConnectSecurityScheme, Part, PartContent, Role, SecurityScheme, SendMessageConfiguration,
    SendMessageRequest, SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task,
    TaskArtifactUpdateEvent, TaskPushNotificationConfig, TaskState, TaskStatus,
    TaskStatusUpdateEvent,
};
use std::collections::HashMap;

use serde_json::Value;

/// A moment as the protocol writes it: RFC 3339 in UTC, to the millisecond.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// What people and programs add to messages, parts, artifacts and tasks.
pub type Metadata = HashMap<String, Value>;

/// The version that is spoken.
pub const VERSION: &str = "1.0";

/// The header (or query parameter) that names the version.
pub const VERSION_HEADER: &str = "A2A-Version";

/// The header that lists the extensions that a request uses.
pub const EXTENSIONS_HEADER: &str = "A2A-Extensions";

/// The media type of bodies in the HTTP+JSON binding.
pub const MEDIA_TYPE: &str = "application/a2a+json";

/// Names under which parts and tasks carry what the protocol has no field for.
pub mod metadata {
    /// What a data part is, as ADK says it: `function_call` or `function_response`.
    pub const ADK_TYPE: &str = "adk_type";
    /// Whether a call waits for a person, as ADK says it.
    pub const ADK_LONG_RUNNING: &str = "adk_is_long_running";
    /// Whether a text is a thought, as ADK says it.
    pub const ADK_THOUGHT: &str = "adk_thought";
    /// What a data part is, without ADK: the same values.
    pub const KIND: &str = "interactions/kind";
    /// Whether a text is a thought.
    pub const THOUGHT: &str = "interactions/thought";
    /// The citations and other annotations of a text.
    pub const ANNOTATIONS: &str = "interactions/annotations";
    /// The tokens that a task has used.
    pub const USAGE: &str = "interactions/usage";
    /// How many agents have called agents on the way to a message, a number.
    pub const DEPTH: &str = "interactions/depth";
    /// Why a task ended as it did, where its state does not say it: `incomplete`.
    pub const FINISH: &str = "interactions/finish";

    /// The value of [`ADK_TYPE`] and [`KIND`] for a call that wants an answer.
    pub const FUNCTION_CALL: &str = "function_call";
    /// The value of [`ADK_TYPE`] and [`KIND`] for such an answer.
    pub const FUNCTION_RESPONSE: &str = "function_response";
}

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    to_millis(chrono::Utc::now())
}

fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

/// Whether nothing happens to a task any more.
#[must_use]
pub fn is_terminal(state: &TaskState) -> bool {
    state.is_terminal()
}

/// Whether a task waits for somebody outside: for input, or for credentials.
#[must_use]
pub fn is_interrupted(state: &TaskState) -> bool {
    matches!(state, TaskState::InputRequired | TaskState::AuthRequired)
}
