//! The data model of the Interactions API.
//!
//! Types of the wire and nothing else: no I/O, no async, no clock.
//! Requests are plain data that cannot be written wrong; replies lose nothing on the way through.
//!
//! * **Open.** Every enum and union has an `Unknown` arm, every object an [`Extra`]:
//!   what the service adds tomorrow is kept and written back.
//! * **Lenient in.** Only the tags of unions are required when decoding;
//!   what was absent stays absent when encoding.
//! * **Exact errors.** Malformed is not unknown: [`decode`] names the tag and the path.
//!
//! ```
//! use interactions_types::{CreateInteraction, Interaction, Status, decode};
//!
//! let request = CreateInteraction::new("gemini-3.8-flash", "Why is the sky blue?");
//! assert_eq!(
//!     serde_json::to_string(&request)?,
//!     r#"{"input":"Why is the sky blue?","model":"gemini-3.8-flash"}"#,
//! );
//!
//! let reply = br#"{"id":"v1_x","status":"completed","steps":[
//!     {"type":"model_output","content":[{"type":"text","text":"Rayleigh."}]},
//!     {"type":"hologram","mood":"blue"}]}"#;
//! let interaction: Interaction = decode(reply)?;
//! assert_eq!(interaction.status, Status::Completed);
//! assert_eq!(interaction.output_text(), "Rayleigh.");
//! assert_eq!(interaction.steps[1].kind(), "hologram");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accumulate;
mod agent;
mod agent_config;
mod annotation;
mod content;
mod credential;
mod decision;
mod delta;
mod environment;
mod error;
mod event;
mod generation;
mod id;
mod input;
mod int64;
mod interaction;
mod output;
mod page;
mod processing;
mod request;
mod response_format;
mod safety;
mod step;
mod tool;
mod trigger;
mod untagged;
mod usage;
mod voice;
mod webhook;
mod webhook_config;
mod wire;

pub use accumulate::{AccumulateError, Accumulator};
pub use agent::{Agent, AgentListResponse, ListAgentsQuery};
pub use agent_config::{
    AgentConfig, AntigravityAgentConfig, CodeMenderAgentConfig, DeepResearchAgentConfig,
    DynamicAgentConfig, FileContent, FindMode, FindRequest, FixRequest, SessionConfig,
    Visualization,
};
pub use annotation::{
    Annotation, FileCitation, PlaceCitation, ReviewSnippet, SpeechMetadata, UrlCitation, WordInfo,
};
pub use content::{
    Audio, AudioMimeType, Content, Document, DocumentMimeType, Image, ImageMimeType,
    MediaResolution, Text, ToolOutput, Video, VideoMimeType,
};
pub use credential::{
    Credential, CredentialConfig, CredentialListResponse, CredentialStatus, CredentialType,
    CredentialUpdateConfig, EnvironmentVariableConfig, EnvironmentVariableUpdateConfig,
    HttpBearerConfig, HttpBearerUpdateConfig, InjectionLocation, InjectionLocations, OAuth2Config,
    OAuth2UpdateConfig,
};
pub use decision::{
    Answer, BlockReason, ChoiceAnswer, ChoiceQuestion, CreateDecisionRequest,
    CreateDecisionResponse, Instructions, NoulAnswer, NoulCriteria, NoulQuestion, PromptFeedback,
    Question, ScoreAnswer, ScoreQuestion,
};
pub use delta::{
    ArgumentsDelta, AudioDelta, CodeExecutionCallDelta, CodeExecutionResultDelta, Delta,
    DocumentDelta, FileSearchCallDelta, FileSearchResultDelta, FunctionResultDelta,
    GoogleMapsCallDelta, GoogleMapsResultDelta, GoogleSearchCallDelta, GoogleSearchResultDelta,
    ImageDelta, McpServerToolCallDelta, McpServerToolResultDelta, ProcessingCallDelta,
    ProcessingResultDelta, RetrievalCallDelta, RetrievalResultDelta, TextAnnotationDelta,
    TextDelta, ThoughtSignatureDelta, ThoughtSummaryDelta, ToolSearchCallDelta,
    ToolSearchResultDelta, UrlContextCallDelta, UrlContextResultDelta, VideoDelta,
};
pub use environment::{
    Allowlist, AllowlistEntry, CreateEnvironmentRequest, EgressAllowlist, EnvVar, Environment,
    EnvironmentChoice, EnvironmentConfig, EnvironmentFile, EnvironmentStatus, FileType,
    GetEnvironmentFilesQuery, GetEnvironmentFilesResponse, ListEnvironmentsResponse, NetworkChoice,
    NetworkMode, Source, SourceType, UploadEnvironmentFileQuery,
};
pub use error::{ApiError, RpcStatus};
pub use event::{
    ErrorEvent, InteractionCompleted, InteractionCreated, StatusUpdate, StepDelta,
    StepDeltaMetadata, StepStart, StepStop, StreamEvent,
};
pub use generation::{
    GenerationConfig, ImageConfig, SmartTranscription, SpeakerConfig, SpeechConfig, SpeechConfigs,
    ThinkingLevel, ThinkingSummaries, TranscriptionConfig, TranscriptionMode,
    TranscriptionModeName, TranscriptionModes, VerbatimTranscription, VideoConfig, VideoTask,
};
pub use id::{
    AgentId, BatchId, CallId, CredentialId, EnvironmentId, EventId, InteractionId, ModelId,
    PageToken, TriggerExecutionId, TriggerId, VoiceId, WebhookId,
};
pub use input::Input;
pub use int64::Int64;
pub use interaction::{Interaction, ServiceTier, Status};
pub use page::{Empty, InteractionMetadata, ListInteractionsResponse, ListQuery, UpdateQuery};
pub use processing::{
    MediaProcessing, PageLayer, PageProcessing, ProcessingMode, SheetLayer, SpreadsheetProcessing,
    StaticProcessing, VideoLayer,
};
pub use request::{CreateInteraction, Target};
pub use response_format::{
    AspectRatio, AudioFormatMimeType, AudioResponseFormat, Delivery, ImageResponseFormat,
    ImageSize, ResponseFormat, TextFormatMimeType, TextResponseFormat, VideoAspectRatio,
    VideoResolution, VideoResponseFormat,
};
pub use safety::{HarmCategory, HarmMethod, HarmThreshold, SafetySetting};
pub use step::{
    CodeExecutionArguments, CodeExecutionCall, CodeExecutionResult, CodeLanguage, FileSearchCall,
    FileSearchResult, FunctionCall, FunctionResult, GoogleMapsArguments, GoogleMapsCall,
    GoogleMapsEntry, GoogleMapsResult, GoogleSearchArguments, GoogleSearchCall, GoogleSearchEntry,
    GoogleSearchResult, McpServerToolCall, McpServerToolResult, ModelOutput, Place, ProcessingCall,
    ProcessingResult, RetrievalArguments, RetrievalCall, RetrievalResult, RetrievalType,
    SearchType, Step, Thought, ToolSearchArguments, ToolSearchCall, ToolSearchResult,
    UrlContextArguments, UrlContextCall, UrlContextEntry, UrlContextResult, UrlStatus, UserInput,
};
pub use tool::{
    AllowedTools, CodeExecution, ComputerEnvironment, ComputerUse, ExaAiSearchConfig, FileSearch,
    Function, GoogleMaps, GoogleSearch, HybridSearch, McpServer, ParallelAiSearchConfig, RagFilter,
    RagResource, RagRetrievalConfig, RagStoreConfig, RankService, Ranking, Retrieval, SafetyPolicy,
    Tool, ToolChoice, ToolChoiceConfig, ToolChoiceMode, ToolSearch, ToolSearchExecution,
    UrlContext, VertexAiSearchConfig,
};
pub use trigger::{
    ExecutionStatus, ListTriggerExecutionsResponse, ListTriggersQuery, ListTriggersResponse,
    Trigger, TriggerCreateParams, TriggerExecution, TriggerStatus, TriggerUpdate,
};
pub use untagged::{NameOr, OneOrMany};
pub use usage::{GroundingTool, GroundingToolCount, Modality, ModalityTokens, Usage};
pub use voice::{
    AudioData, CreateVoiceRequest, ListVoicesResponse, Pitch, PromptedVoice, ReplicatedVoice,
    VoiceInput, VoiceOutput, VoiceType,
};
pub use webhook::{
    BatchCancelledEvent, BatchExpiredEvent, BatchFailedEvent, BatchFault, BatchOutput,
    BatchReference, BatchSucceededEvent, InteractionCancelledEvent, InteractionCompletedEvent,
    InteractionFailedEvent, InteractionFault, InteractionReference, InteractionRequiresActionEvent,
    RevocationBehavior, RotateSigningSecretRequest, SigningSecret, VideoGeneratedEvent,
    VideoReference, Webhook, WebhookEvent, WebhookEventType, WebhookInput, WebhookListResponse,
    WebhookRotateSigningSecretResponse, WebhookState, WebhookUpdate,
};
pub use webhook_config::WebhookConfig;
pub use wire::{
    DecodeError, Extra, Inspect, Path, UnknownObject, UnknownValue, Unmodelled, decode,
    decode_value,
};

/// A free-form JSON object, in the order of its keys.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

/// The wire as JSON Schema, by resource and name; a `$ref` names a schema of the same resource, else
/// of `interactions`. All enums and unions are open. The types of this crate are tested against it.
#[cfg(feature = "schema")]
pub const SCHEMA: &str = include_str!("../fixtures/schema.json");
