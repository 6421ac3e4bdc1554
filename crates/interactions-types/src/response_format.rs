//! What the output should be.

use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::wire::{
    Chained, Early, EarlyValue, Inspect, ObjectVisitor, Path, ReadObject, UnionKeySeed,
    UnknownObject, Unmodelled, in_variant, object, open_enum,
};
use crate::{ImageMimeType, JsonObject};

/// What the output should be: one kind of content with its settings (`type` tells the kind).
///
/// ```
/// use interactions_types::{CreateInteraction, ResponseFormat, TextResponseFormat};
/// use serde_json::json;
///
/// let schema = json!({"type": "object", "properties": {"sum": {"type": "number"}}});
/// let request = CreateInteraction::new("gemini-3.8-flash", "What is 2 + 2?")
///     .response_format(ResponseFormat::from(TextResponseFormat::json(schema)));
/// # assert_eq!(serde_json::to_value(&request)?["response_format"]["mime_type"], "application/json");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Text, or JSON by a schema.
    Text(TextResponseFormat),
    /// Sound.
    Audio(AudioResponseFormat),
    /// An image.
    Image(ImageResponseFormat),
    /// A video.
    Video(VideoResponseFormat),
    /// A bare JSON Schema, the former way to ask for JSON; [`TextResponseFormat::json`] replaces it.
    Schema(JsonObject),
    /// A kind that this crate does not know, kept whole.
    Unknown(UnknownObject),
}

impl ResponseFormat {
    /// The values of `type` that this crate knows.
    pub const KNOWN: &'static [&'static str] = &["text", "audio", "image", "video"];

    /// Words that a JSON Schema has as its `type`.
    const SCHEMA_TYPES: &'static [&'static str] =
        &["object", "array", "string", "number", "integer", "boolean", "null"];
}

macro_rules! variants {
    ($($variant:ident($body:ident) = $tag:literal),* $(,)?) => {
        $(
            impl From<$body> for ResponseFormat {
                fn from(mut body: $body) -> Self {
                    body.extra.settle_tag("type");
                    Self::$variant(body)
                }
            }
        )*

        impl Serialize for ResponseFormat {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$variant(body) => body.serialize(serializer), )*
                    Self::Schema(schema) => schema.serialize(serializer),
                    Self::Unknown(unknown) => unknown.serialize(serializer),
                }
            }
        }

        impl Inspect for ResponseFormat {
            fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
                match self {
                    $( Self::$variant(body) => body.inspect(path, report), )*
                    Self::Schema(_) => {}
                    Self::Unknown(unknown) => report(Unmodelled::Value {
                        path: path.field("type").to_string(),
                        value: unknown.tag().to_owned(),
                        supported: Self::KNOWN,
                    }),
                }
            }
        }

        impl ResponseFormat {
            /// Reads the body of a known kind; for any other it gives the map back.
            #[expect(clippy::result_large_err, reason = "the map given back is no error")]
            fn read_known<'de, A: MapAccess<'de>>(
                tag: &str,
                map: Chained<'de, A>,
            ) -> Result<Result<Self, Chained<'de, A>>, A::Error> {
                match tag {
                    $(
                        $tag => $body::read(map, true)
                            .map(|body| Ok(Self::$variant(body)))
                            .map_err(|error| in_variant("type", $tag, &error)),
                    )*
                    _ => Ok(Err(map)),
                }
            }
        }
    };
}

variants! {
    Text(TextResponseFormat) = "text",
    Audio(AudioResponseFormat) = "audio",
    Image(ImageResponseFormat) = "image",
    Video(VideoResponseFormat) = "video",
}

impl<'de> Deserialize<'de> for ResponseFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor::<Self>(std::marker::PhantomData))
    }
}

impl<'de> ReadObject<'de> for ResponseFormat {
    const NAME: &'static str = "ResponseFormat";

    fn read<A: MapAccess<'de>>(mut map: A, _tagged: bool) -> Result<Self, A::Error> {
        let mut early = Early::default();
        while let Some(key) = map.next_key_seed(UnionKeySeed("type"))? {
            if let Some(name) = key {
                early.push(name, map.next_value::<EarlyValue<'de>>()?);
                continue;
            }
            let tag: Value = map.next_value()?;
            let mut rest = Chained::new(early, map);
            if let Some(tag) = tag.as_str() {
                match Self::read_known(tag, rest)? {
                    Ok(format) => return Ok(format),
                    Err(map) => rest = map,
                }
            }
            let mut object = Map::new();
            object.insert("type".to_owned(), tag.clone());
            while let Some((name, value)) = rest.next_entry::<String, Value>()? {
                if name == "type" && value != tag {
                    return Err(A::Error::duplicate_field("type"));
                }
                object.insert(name, value);
            }
            return Ok(match tag {
                Value::String(tag) if !Self::SCHEMA_TYPES.contains(&tag.as_str()) => {
                    Self::Unknown(UnknownObject::new(tag, object))
                }
                // Also a list of types, as schemas may have.
                _ => Self::Schema(object),
            });
        }
        // A schema needs no `type`: it may say `anyOf` or `$ref`.
        Ok(Self::Schema(early.into_entries().collect()))
    }
}

object! {
    /// Text, or JSON by a schema.
    pub struct TextResponseFormat as "type" = "text" {
        required {}
        optional {
            /// Plain text or JSON.
            mime_type: TextFormatMimeType,
            /// The JSON Schema that the answer has to fit; only with JSON.
            schema: Value,
        }
    }
}

impl TextResponseFormat {
    /// JSON that fits a schema.
    #[must_use]
    pub fn json(schema: impl Into<Value>) -> Self {
        Self::new().mime_type(TextFormatMimeType::Json).schema(schema)
    }
}

object! {
    /// Sound.
    pub struct AudioResponseFormat as "type" = "audio" {
        required {}
        optional {
            /// The format of the bytes.
            mime_type: AudioFormatMimeType,
            /// How the bytes come.
            delivery: Delivery,
            /// Bits per second; MP3 and Opus only.
            bit_rate: i64,
            /// The sample rate in hertz.
            sample_rate: i64,
        }
    }
}

object! {
    /// An image.
    pub struct ImageResponseFormat as "type" = "image" {
        required {}
        optional {
            /// The format of the bytes; the service makes `image/jpeg`.
            mime_type: ImageMimeType,
            /// How the bytes come.
            delivery: Delivery,
            /// Width to height; absent, that of the images given.
            aspect_ratio: AspectRatio,
            /// How many pixels; absent, `1K`.
            image_size: ImageSize,
        }
    }
}

object! {
    /// A video.
    pub struct VideoResponseFormat as "type" = "video" {
        required {}
        optional {
            /// How the bytes come.
            delivery: Delivery,
            /// Where Vertex puts the video when it is delivered by URI, `gs://…`.
            gcs_uri: String,
            /// How long, in seconds with `s`, for example `8s`.
            duration: String,
            /// Width to height.
            aspect_ratio: VideoAspectRatio,
            /// How many lines; absent, `720p`.
            resolution: VideoResolution,
        }
    }
}

open_enum! {
    /// Plain text or JSON.
    pub enum TextFormatMimeType {
        /// JSON.
        Json = "application/json",
        /// Plain text.
        Plain = "text/plain",
    }
}

open_enum! {
    /// The format of generated sound.
    pub enum AudioFormatMimeType {
        /// MP3.
        Mp3 = "audio/mp3",
        /// Opus in Ogg.
        OggOpus = "audio/ogg_opus",
        /// Raw 16-bit linear samples.
        L16 = "audio/l16",
        /// WAV.
        Wav = "audio/wav",
        /// G.711 A-law.
        Alaw = "audio/alaw",
        /// G.711 µ-law.
        Mulaw = "audio/mulaw",
    }
}

open_enum! {
    /// How generated media come.
    pub enum Delivery {
        /// In the answer, in base64.
        Inline = "inline",
        /// As a URI.
        Uri = "uri",
    }
}

open_enum! {
    /// Width to height of an image.
    pub enum AspectRatio {
        /// 1 to 1.
        Ratio1x1 = "1:1",
        /// 2 to 3.
        Ratio2x3 = "2:3",
        /// 3 to 2.
        Ratio3x2 = "3:2",
        /// 3 to 4.
        Ratio3x4 = "3:4",
        /// 4 to 3.
        Ratio4x3 = "4:3",
        /// 4 to 5.
        Ratio4x5 = "4:5",
        /// 5 to 4.
        Ratio5x4 = "5:4",
        /// 9 to 16.
        Ratio9x16 = "9:16",
        /// 16 to 9.
        Ratio16x9 = "16:9",
        /// 21 to 9.
        Ratio21x9 = "21:9",
        /// 1 to 8.
        Ratio1x8 = "1:8",
        /// 8 to 1.
        Ratio8x1 = "8:1",
        /// 1 to 4.
        Ratio1x4 = "1:4",
        /// 4 to 1.
        Ratio4x1 = "4:1",
    }
}

open_enum! {
    /// How many pixels an image has.
    pub enum ImageSize {
        /// About 512 × 512.
        Pixels512 = "512",
        /// About 1024 × 1024.
        Size1K = "1K",
        /// About 2048 × 2048.
        Size2K = "2K",
        /// About 4096 × 4096.
        Size4K = "4K",
    }
}

open_enum! {
    /// Width to height of a video.
    pub enum VideoAspectRatio {
        /// Wide.
        Ratio16x9 = "16:9",
        /// Upright.
        Ratio9x16 = "9:16",
    }
}

open_enum! {
    /// How many lines a video has.
    pub enum VideoResolution {
        /// 360 lines.
        Lines360 = "360p",
        /// 720 lines.
        Lines720 = "720p",
        /// 1080 lines.
        Lines1080 = "1080p",
        /// 2160 lines.
        Size4K = "4k",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ImageResponseFormat, ResponseFormat, TextResponseFormat};
    use crate::{Inspect, OneOrMany, decode};

    fn survives(value: &Value) -> ResponseFormat {
        let format: ResponseFormat = decode(value.to_string().as_bytes()).unwrap();
        assert_eq!(&serde_json::to_value(&format).unwrap(), value);
        format
    }

    #[test]
    fn a_bare_schema_survives() {
        for schema in [
            json!({}),
            json!({"type": "object", "properties": {"type": {"type": "text"}}}),
            json!({"properties": {}, "type": "object"}),
            json!({"type": ["object", "null"]}),
            json!({"anyOf": [{"type": "string"}], "type": null}),
            json!({"$ref": "#/$defs/x"}),
        ] {
            let format = survives(&schema);
            assert!(matches!(format, ResponseFormat::Schema(_)), "{format:?}");
            assert!(format.unmodelled().is_empty());
        }
    }

    #[test]
    fn an_unknown_kind_is_not_a_schema() {
        let format = survives(&json!({"size": 3, "type": "hologram"}));
        assert_eq!(format.unmodelled()[0].path(), "type");
    }

    #[test]
    fn known_kinds_are_read_wherever_the_tag_is() {
        let text = r#"[{"schema":{"type":"object"},"type":"text"},{"type":"image","x":1}]"#;
        let formats: OneOrMany<ResponseFormat> = decode(text.as_bytes()).unwrap();
        let mut image = ImageResponseFormat::new();
        image.extra.insert("x", 1);
        let expected = vec![
            TextResponseFormat::new().schema(json!({"type": "object"})).into(),
            ResponseFormat::from(image),
        ];
        assert_eq!(formats, OneOrMany::Many(expected));
        assert_eq!(serde_json::to_string(&formats).unwrap().len(), text.len());
    }

    #[test]
    fn malformed_kinds_are_errors() {
        let error = decode::<ResponseFormat>(br#"{"sample_rate":"x","type":"audio"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sample_rate`: type `audio`: invalid type: string \"x\", expected i64"
        );
        decode::<ResponseFormat>(br#"{"type":"object","type":"text"}"#).unwrap_err();
        decode::<ResponseFormat>(br#"["text"]"#).unwrap_err();
    }
}
