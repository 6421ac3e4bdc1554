//! Settings of speech recognition.

use crate::untagged::NameOr;
use crate::wire::{object, open_enum, union};

object! {
    /// Settings of speech recognition; where they are present, speech is transcribed.
    pub struct TranscriptionConfig {
        required {}
        optional {
            /// Languages to expect, BCP-47; absent, they are detected.
            language_codes: Vec<String>,
            /// Words to expect.
            custom_vocabulary: Vec<String>,
            /// How it is written down.
            mode: TranscriptionModes,
            /// How finely times are given.
            #[deprecated(note = "use `timestamp_granularities` of a `VerbatimTranscription` as `mode`")]
            timestamp_granularities: Vec<String>,
            /// How speakers are told apart.
            #[deprecated(note = "use `diarization_mode` of a `VerbatimTranscription` as `mode`")]
            diarization_mode: String,
            /// Languages to expect.
            #[deprecated(note = "use `language_codes`")]
            language_hints: Vec<String>,
            /// Words to expect.
            #[deprecated(note = "use `custom_vocabulary`")]
            adaptation_phrases: Vec<String>,
        }
    }
}

/// How speech is written down: a mode's name, or the mode with its settings.
pub type TranscriptionModes = NameOr<TranscriptionModeName, TranscriptionMode>;

impl From<TranscriptionModeName> for TranscriptionModes {
    fn from(name: TranscriptionModeName) -> Self {
        Self::Name(name)
    }
}

impl From<TranscriptionMode> for TranscriptionModes {
    fn from(mode: TranscriptionMode) -> Self {
        Self::Object(mode)
    }
}

open_enum! {
    /// How speech is written down.
    pub enum TranscriptionModeName {
        /// As it was spoken.
        Verbatim = "verbatim",
        /// As it was meant.
        Smart = "smart",
    }
}

union! {
    /// How speech is written down, with settings (`type` tells the kind).
    pub enum TranscriptionMode by "type" {
        /// As it was spoken.
        Verbatim(VerbatimTranscription) = "verbatim",
        /// As it was meant.
        Smart(SmartTranscription) = "smart",
    }
}

object! {
    /// Speech as it was spoken.
    pub struct VerbatimTranscription as "type" = "verbatim" {
        required {}
        optional {
            /// What gets time stamps: `word`; absent, nothing.
            timestamp_granularities: Vec<String>,
            /// How speakers are told apart: `speaker`; absent, they are not.
            diarization_mode: String,
        }
    }
}

object! {
    /// Speech as it was meant.
    pub struct SmartTranscription as "type" = "smart" {
        required {}
        optional {
            /// A text to go by.
            source_text: String,
        }
    }
}
