//! Voices for spoken answers.

use crate::wire::{object, open_enum};
use crate::{ModelId, PageToken, Usage, VoiceId};

object! {
    /// The body of `POST /voices`.
    pub struct CreateVoiceRequest {
        required {
            /// The voice to make.
            voice: VoiceInput,
        }
        optional {
            /// Whether the voice is kept.
            store: bool,
        }
    }
}

object! {
    /// A voice to make.
    pub struct VoiceInput {
        required {
            /// How it is made (`type` on the wire).
            kind = "type": VoiceType,
        }
        optional {
            /// The model that makes it.
            model: ModelId,
            /// A name for people.
            display_name: String,
            /// What it sounds like.
            description: String,
            /// The voice to copy; for `replicated`.
            replicated: ReplicatedVoice,
            /// The words to make it from; for `prompted`.
            prompted: PromptedVoice,
            /// A sample of it.
            sample_audio: AudioData,
            /// What it is for.
            context: String,
            /// Who seems to speak.
            persona: String,
            /// The gender that it sounds like.
            gender: String,
            /// How high it is.
            pitch: Pitch,
            /// The accent.
            accent: String,
            /// The language, BCP-47.
            language_code: String,
            /// The region.
            region_code: String,
        }
    }
}

open_enum! {
    /// How a voice is made.
    pub enum VoiceType {
        /// From a recording.
        Replicated = "replicated",
        /// From words.
        Prompted = "prompted",
        /// By the service.
        Prebuilt = "prebuilt",
    }
}

open_enum! {
    /// How high a voice is.
    pub enum Pitch {
        /// Low.
        Low = "low",
        /// In between.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

object! {
    /// A voice made from words.
    pub struct PromptedVoice {
        required {
            /// The words that describe it.
            input: String,
        }
        optional {
            /// The voice to begin with.
            base_voice: String,
        }
    }
}

object! {
    /// A voice copied from a recording.
    pub struct ReplicatedVoice {
        required {
            /// The recording.
            source_audio: AudioData,
            /// A recording in which the speaker agrees.
            consent_audio: AudioData,
        }
    }
}

object! {
    /// A recording.
    pub struct AudioData {
        required {
            /// The bytes in base64.
            data: String,
            /// What the bytes are.
            mime_type: String,
        }
    }
}

object! {
    /// A voice that exists.
    pub struct VoiceOutput {
        required {
            /// How it was made (`type` on the wire).
            kind = "type": VoiceType,
        }
        optional {
            /// Its id.
            id: VoiceId,
            /// What opens it. Secret, for whoever has it may speak with the voice.
            key: String as secret,
            /// The model that made it.
            model: ModelId,
            /// A name for people.
            display_name: String,
            /// What it sounds like.
            description: String,
            /// The words it was made from.
            prompted: PromptedVoice,
            /// A sample of it.
            sample_audio: AudioData,
            /// What it is for.
            context: String,
            /// Who seems to speak.
            persona: String,
            /// The gender that it sounds like.
            gender: String,
            /// How high it is.
            pitch: Pitch,
            /// The accent.
            accent: String,
            /// The language, BCP-47.
            language_code: String,
            /// The region.
            region_code: String,
            /// When it ceases to exist, RFC 3339.
            expire_time: String,
            /// What making it cost.
            usage: Usage,
        }
    }
}

object! {
    /// The reply of `GET /voices`.
    pub struct ListVoicesResponse {
        required {}
        default {
            /// The voices of this page.
            voices: Vec<VoiceOutput>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}
