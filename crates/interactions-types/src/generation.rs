//! How the model generates its answer.

use serde_json::Value;

use crate::ToolChoice;
use crate::wire::{object, open_enum};

object! {
    /// Settings of the generation; every one is optional.
    pub struct GenerationConfig {
        required {}
        optional {
            /// The most tokens to generate, thoughts included. Reaching it ends as `incomplete`.
            max_output_tokens: i64,
            /// Makes sampling repeatable as far as the model allows.
            seed: i64,
            /// Texts at which generation stops.
            stop_sequences: Vec<String>,
            /// Randomness of sampling. Deprecated by the service.
            temperature: f64,
            /// Nucleus sampling. Deprecated by the service.
            top_p: f64,
            /// How much the model thinks.
            thinking_level: ThinkingLevel,
            /// Whether thoughts come with summaries.
            thinking_summaries: ThinkingSummaries,
            /// How the model may choose tools.
            tool_choice: ToolChoice,
            /// Voices for spoken answers.
            speech_config: Value,
            /// Settings of speech recognition.
            transcription_config: Value,
            /// Settings of video generation.
            video_config: Value,
            /// Settings of image generation. Deprecated in favour of `response_format`.
            image_config: Value,
        }
    }
}

open_enum! {
    /// How much the model thinks before it answers.
    pub enum ThinkingLevel {
        /// Hardly at all.
        Minimal = "minimal",
        /// A little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
        /// As much as it can.
        Xhigh = "xhigh",
    }
}

open_enum! {
    /// Whether thoughts come with summaries.
    pub enum ThinkingSummaries {
        /// When the model has them.
        Auto = "auto",
        /// Never.
        None = "none",
    }
}
