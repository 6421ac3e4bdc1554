//! Thresholds of the safety filters.

use crate::wire::{object, open_enum};

object! {
    /// The threshold of one safety filter.
    pub struct SafetySetting {
        required {
            /// The harm that is filtered (`type` on the wire).
            kind = "type": HarmCategory,
            /// From where on it is blocked.
            threshold: HarmThreshold,
        }
        optional {
            /// What is compared with the threshold; absent, the probability.
            method: HarmMethod,
        }
    }
}

open_enum! {
    /// A kind of harm.
    pub enum HarmCategory {
        /// Hate speech.
        HateSpeech = "hate_speech",
        /// Dangerous content.
        DangerousContent = "dangerous_content",
        /// Harassment.
        Harassment = "harassment",
        /// Sexually explicit content.
        SexuallyExplicit = "sexually_explicit",
        /// Harm to elections and the like.
        CivicIntegrity = "civic_integrity",
        /// Hate in images.
        ImageHate = "image_hate",
        /// Dangerous content in images.
        ImageDangerousContent = "image_dangerous_content",
        /// Harassment in images.
        ImageHarassment = "image_harassment",
        /// Sexually explicit images.
        ImageSexuallyExplicit = "image_sexually_explicit",
        /// Attempts to get round the rules.
        Jailbreak = "jailbreak",
    }
}

open_enum! {
    /// From where on harm is blocked.
    pub enum HarmThreshold {
        /// Low and above.
        BlockLowAndAbove = "block_low_and_above",
        /// Medium and above.
        BlockMediumAndAbove = "block_medium_and_above",
        /// Only high.
        BlockOnlyHigh = "block_only_high",
        /// Nothing is blocked.
        BlockNone = "block_none",
        /// The filter is off.
        Off = "off",
    }
}

open_enum! {
    /// What is compared with the threshold.
    pub enum HarmMethod {
        /// Probability and severity.
        Severity = "severity",
        /// Probability.
        Probability = "probability",
    }
}
