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
mod annotation;
mod content;
mod delta;
mod error;
mod event;
mod generation;
mod id;
mod input;
mod interaction;
mod output;
mod processing;
mod request;
mod step;
mod tool;
mod untagged;
mod usage;
mod wire;

pub use accumulate::{AccumulateError, Accumulator};
pub use annotation::{
    Annotation, FileCitation, PlaceCitation, ReviewSnippet, SpeechMetadata, UrlCitation, WordInfo,
};
pub use content::{
    Audio, AudioMimeType, Content, Document, DocumentMimeType, Image, ImageMimeType,
    MediaResolution, Text, ToolOutput, Video, VideoMimeType,
};
pub use delta::{
    ArgumentsDelta, AudioDelta, Delta, DocumentDelta, FunctionResultDelta, ImageDelta,
    McpServerToolCallDelta, McpServerToolResultDelta, TextAnnotationDelta, TextDelta,
    ThoughtSignatureDelta, ThoughtSummaryDelta, VideoDelta,
};
pub use error::{ApiError, RpcStatus};
pub use event::{
    ErrorEvent, InteractionCompleted, InteractionCreated, StatusUpdate, StepDelta,
    StepDeltaMetadata, StepStart, StepStop, StreamEvent,
};
pub use generation::{GenerationConfig, ThinkingLevel, ThinkingSummaries};
pub use id::{AgentId, CallId, EnvironmentId, EventId, InteractionId, ModelId};
pub use input::Input;
pub use interaction::{Interaction, ServiceTier, Status};
pub use processing::{
    MediaProcessing, PageLayer, PageProcessing, ProcessingMode, SheetLayer, SpreadsheetProcessing,
    StaticProcessing, VideoLayer,
};
pub use request::{CreateInteraction, Target};
pub use step::{
    FunctionCall, FunctionResult, McpServerToolCall, McpServerToolResult, ModelOutput, Step,
    Thought, UserInput,
};
pub use tool::{
    AllowedTools, Function, McpServer, Tool, ToolChoice, ToolChoiceConfig, ToolChoiceMode,
};
pub use untagged::{NameOr, OneOrMany};
pub use usage::{GroundingTool, GroundingToolCount, Modality, ModalityTokens, Usage};
pub use wire::{
    DecodeError, Extra, Inspect, Path, UnknownObject, UnknownValue, Unmodelled, decode,
};

/// A free-form JSON object, in the order of its keys.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;
