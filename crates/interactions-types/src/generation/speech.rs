//! Voices of spoken answers.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::wire::{Inspect, Path, Unmodelled, object};

/// Voices: a list, or an object that holds the list.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpeechConfigs {
    /// A list.
    List(Vec<SpeechConfig>),
    /// An object with the list as `speakers`.
    Speakers(SpeakerConfig),
}

impl From<SpeechConfig> for SpeechConfigs {
    fn from(voice: SpeechConfig) -> Self {
        Self::List(vec![voice])
    }
}

impl From<Vec<SpeechConfig>> for SpeechConfigs {
    fn from(voices: Vec<SpeechConfig>) -> Self {
        Self::List(voices)
    }
}

impl From<SpeakerConfig> for SpeechConfigs {
    fn from(speakers: SpeakerConfig) -> Self {
        Self::Speakers(speakers)
    }
}

impl Serialize for SpeechConfigs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::List(voices) => voices.serialize(serializer),
            Self::Speakers(speakers) => speakers.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SpeechConfigs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpeechVisitor;

        impl<'de> Visitor<'de> for SpeechVisitor {
            type Value = SpeechConfigs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of voices or an object with `speakers`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(SpeechConfigs::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let object = MapAccessDeserializer::new(map);
                SpeakerConfig::deserialize(object).map(SpeechConfigs::Speakers)
            }
        }

        deserializer.deserialize_any(SpeechVisitor)
    }
}

impl Inspect for SpeechConfigs {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        match self {
            Self::List(voices) => voices.inspect(path, report),
            Self::Speakers(speakers) => speakers.inspect(path, report),
        }
    }
}

object! {
    /// One voice.
    pub struct SpeechConfig {
        required {}
        optional {
            /// The voice, by its name or id.
            voice: String,
            /// The language, BCP-47.
            language: String,
            /// Who speaks with it, a name that the prompt uses.
            speaker: String,
        }
    }
}

object! {
    /// The voices of several speakers.
    pub struct SpeakerConfig {
        required {}
        default {
            /// One voice for each speaker.
            speakers: Vec<SpeechConfig>,
        }
    }
}
