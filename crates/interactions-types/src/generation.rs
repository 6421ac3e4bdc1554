//! How the model generates its answer.

mod speech;
mod transcription;

use crate::wire::{object, open_enum};
use crate::{AspectRatio, ImageSize, ToolChoice};

pub use speech::{SpeakerConfig, SpeechConfig, SpeechConfigs};
pub use transcription::{
    SmartTranscription, TranscriptionConfig, TranscriptionMode, TranscriptionModeName,
    TranscriptionModes, VerbatimTranscription,
};

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
            /// Randomness of sampling.
            #[deprecated(note = "use `thinking_level` and the prompt")]
            temperature: f64,
            /// Nucleus sampling.
            #[deprecated(note = "use `thinking_level` and the prompt")]
            top_p: f64,
            /// How much the model thinks.
            thinking_level: ThinkingLevel,
            /// Whether thoughts come with summaries.
            thinking_summaries: ThinkingSummaries,
            /// How the model may choose tools.
            tool_choice: ToolChoice,
            /// Voices for spoken answers.
            speech_config: SpeechConfigs,
            /// Settings of speech recognition.
            transcription_config: TranscriptionConfig,
            /// Settings of video generation.
            video_config: VideoConfig,
            /// Settings of image generation.
            #[deprecated(note = "use an `ImageResponseFormat` as `response_format`")]
            image_config: ImageConfig,
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

object! {
    /// Settings of video generation.
    pub struct VideoConfig {
        required {}
        optional {
            /// What to do; absent, the model decides.
            task: VideoTask,
        }
    }
}

open_enum! {
    /// What to do with a video.
    pub enum VideoTask {
        /// Make one from a text.
        TextToVideo = "text_to_video",
        /// Make one from its first image, or its first and last.
        ImageToVideo = "image_to_video",
        /// Make one in which given things appear.
        ReferenceToVideo = "reference_to_video",
        /// Change it.
        Edit = "edit",
        /// Make it longer.
        Extend = "extend",
        /// Make it finer.
        Upscale = "upscale",
    }
}

object! {
    /// Settings of image generation; [`ImageResponseFormat`](crate::ImageResponseFormat) replaces it.
    pub struct ImageConfig {
        required {}
        optional {
            /// Width to height.
            aspect_ratio: AspectRatio,
            /// How many pixels.
            image_size: ImageSize,
        }
    }
}
