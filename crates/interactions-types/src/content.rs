//! Content: the parts that messages and tool results are made of.

use serde_json::Value;

use crate::wire::{object, open_enum, union};
use crate::{Annotation, MediaProcessing};

union! {
    /// One part of a message (`type` tells the kind).
    pub enum Content by "type" {
        /// Text.
        Text(Text) = "text",
        /// An image, inline or by URI.
        Image(Image) = "image",
        /// Sound, inline or by URI.
        Audio(Audio) = "audio",
        /// A video, inline or by URI.
        Video(Video) = "video",
        /// A document such as a PDF, inline or by URI.
        Document(Document) = "document",
    }
}

impl Content {
    /// Text content.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Text::new(text).into()
    }

    /// The text, if this is text content.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

object! {
    /// Text content.
    pub struct Text as "type" = "text" {
        required {
            /// The text.
            text: String,
        }
        default {
            /// What spans of the text refer to: sources, files, places, words.
            annotations: Vec<Annotation>,
        }
    }
}

object! {
    /// An image: either `data` or `uri` is set.
    pub struct Image as "type" = "image" {
        required {}
        optional {
            /// The bytes in base64 (standard alphabet).
            data: String,
            /// Where the image is, a Files API URI or `gs://`.
            uri: String,
            /// What the bytes are, for example `image/png`.
            mime_type: ImageMimeType,
            /// How finely the model looks at it.
            resolution: MediaResolution,
        }
    }
}

object! {
    /// Sound: either `data` or `uri` is set.
    pub struct Audio as "type" = "audio" {
        required {}
        optional {
            /// The bytes in base64 (standard alphabet).
            data: String,
            /// Where the sound is.
            uri: String,
            /// What the bytes are, for example `audio/wav`.
            mime_type: AudioMimeType,
            /// The number of channels, for raw formats.
            channels: i64,
            /// The sample rate in hertz, for raw formats.
            sample_rate: i64,
            /// Which part of the sound is looked at.
            processing: Box<MediaProcessing>,
        }
    }
}

object! {
    /// A video: either `data` or `uri` is set.
    pub struct Video as "type" = "video" {
        required {}
        optional {
            /// The bytes in base64 (standard alphabet).
            data: String,
            /// Where the video is, a Files API URI, `gs://` or YouTube.
            uri: String,
            /// What the bytes are, for example `video/mp4`.
            mime_type: VideoMimeType,
            /// A label by which the answer can refer to this video.
            name: String,
            /// How finely the model looks at it.
            resolution: MediaResolution,
            /// Which part of the video is looked at, and how.
            processing: Box<MediaProcessing>,
        }
    }
}

object! {
    /// A document: either `data` or `uri` is set.
    pub struct Document as "type" = "document" {
        required {}
        optional {
            /// The bytes in base64 (standard alphabet).
            data: String,
            /// Where the document is.
            uri: String,
            /// What the bytes are, for example `application/pdf`.
            mime_type: DocumentMimeType,
            /// How finely the model looks at its pages.
            resolution: MediaResolution,
            /// Which pages, sheets or cells are looked at.
            processing: Box<MediaProcessing>,
        }
    }
}

open_enum! {
    /// The kind of an image's bytes (`mime_type`).
    pub enum ImageMimeType {
        /// PNG.
        Png = "image/png",
        /// JPEG.
        Jpeg = "image/jpeg",
        /// WebP.
        Webp = "image/webp",
        /// HEIC.
        Heic = "image/heic",
        /// HEIF.
        Heif = "image/heif",
        /// GIF.
        Gif = "image/gif",
        /// Windows bitmap.
        Bmp = "image/bmp",
        /// TIFF.
        Tiff = "image/tiff",
    }
}

open_enum! {
    /// The kind of a sound's bytes (`mime_type`).
    pub enum AudioMimeType {
        /// WAV.
        Wav = "audio/wav",
        /// MP3.
        Mp3 = "audio/mp3",
        /// AIFF.
        Aiff = "audio/aiff",
        /// AAC.
        Aac = "audio/aac",
        /// Ogg.
        Ogg = "audio/ogg",
        /// FLAC.
        Flac = "audio/flac",
        /// MPEG audio.
        Mpeg = "audio/mpeg",
        /// MPEG-4 audio.
        M4a = "audio/m4a",
        /// Raw 16-bit linear samples.
        L16 = "audio/l16",
        /// Opus.
        Opus = "audio/opus",
        /// G.711 A-law.
        Alaw = "audio/alaw",
        /// G.711 µ-law.
        Mulaw = "audio/mulaw",
        /// WebM audio.
        Webm = "audio/webm",
    }
}

open_enum! {
    /// The kind of a video's bytes (`mime_type`).
    pub enum VideoMimeType {
        /// MPEG-4.
        Mp4 = "video/mp4",
        /// MPEG.
        Mpeg = "video/mpeg",
        /// MPEG, other spelling.
        Mpg = "video/mpg",
        /// QuickTime.
        Mov = "video/mov",
        /// AVI.
        Avi = "video/avi",
        /// Flash video.
        Flv = "video/x-flv",
        /// WebM.
        Webm = "video/webm",
        /// Windows Media Video.
        Wmv = "video/wmv",
        /// 3GPP.
        ThreeGpp = "video/3gpp",
        /// Motion JPEG 2000, in deltas only.
        Jpeg2000 = "video/jpeg2000",
    }
}

open_enum! {
    /// The kind of a document's bytes (`mime_type`).
    pub enum DocumentMimeType {
        /// PDF.
        Pdf = "application/pdf",
        /// Comma-separated values.
        Csv = "text/csv",
        /// PowerPoint.
        Pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        /// PowerPoint 97.
        Ppt = "application/vnd.ms-powerpoint",
        /// OpenDocument presentation.
        Odp = "application/vnd.oasis.opendocument.presentation",
        /// Word.
        Docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        /// Word 97.
        Doc = "application/msword",
        /// Word template.
        Dotx = "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
        /// OpenDocument text.
        Odt = "application/vnd.oasis.opendocument.text",
        /// Excel.
        Xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        /// Excel 97.
        Xls = "application/vnd.ms-excel",
        /// OpenDocument spreadsheet.
        Ods = "application/vnd.oasis.opendocument.spreadsheet",
    }
}

open_enum! {
    /// How finely media are looked at; finer costs more tokens.
    pub enum MediaResolution {
        /// Coarse.
        Low = "low",
        /// Between.
        Medium = "medium",
        /// Fine.
        High = "high",
        /// As fine as the model can.
        UltraHigh = "ultra_high",
    }
}

/// The value of a tool result: text, a JSON object, or content parts.
///
/// On the wire it is untagged: a string, an object or an array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolOutput {
    /// Plain text.
    Text(String),
    /// A JSON object.
    Object(crate::JsonObject),
    /// Content parts: text, images and other media.
    Contents(Vec<Content>),
    /// Function definitions: the answer to a tool search that the client runs.
    Functions(Vec<crate::Function>),
    /// Any other JSON value; the API does not define one here.
    Other(Value),
}

impl Default for ToolOutput {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl ToolOutput {
    /// The output as one text, as a model without structured results would read it.
    ///
    /// Objects become compact JSON; media parts are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(object) => serde_json::to_string(object).unwrap_or_default(),
            Self::Contents(contents) => {
                contents.iter().filter_map(Content::as_text).collect::<Vec<_>>().join("\n")
            }
            Self::Functions(functions) => serde_json::to_string(functions).unwrap_or_default(),
            Self::Other(value) => value.to_string(),
        }
    }
}

impl From<&str> for ToolOutput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ToolOutput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Content>> for ToolOutput {
    fn from(contents: Vec<Content>) -> Self {
        Self::Contents(contents)
    }
}

impl From<Vec<crate::Function>> for ToolOutput {
    fn from(functions: Vec<crate::Function>) -> Self {
        Self::Functions(functions)
    }
}

impl From<Value> for ToolOutput {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Object(object) => Self::Object(object),
            other => Self::Other(other),
        }
    }
}
