//! Annotations: what spans of a text refer to.

use crate::JsonObject;
use crate::wire::{object, union};

union! {
    /// What a span of a text refers to (`type` tells the kind).
    ///
    /// `start_index` and `end_index` count bytes of UTF-8 in the text that carries the annotation;
    /// the end is exclusive.
    pub enum Annotation by "type" {
        /// A page on the web.
        UrlCitation(UrlCitation) = "url_citation",
        /// A file of the caller.
        FileCitation(FileCitation) = "file_citation",
        /// A place on the map.
        PlaceCitation(PlaceCitation) = "place_citation",
        /// A transcribed word.
        WordInfo(WordInfo) = "word_info",
        /// A stretch of speech.
        SpeechMetadata(SpeechMetadata) = "speech_metadata",
    }
}

object! {
    /// A page on the web that backs a span of text.
    pub struct UrlCitation as "type" = "url_citation" {
        required {}
        optional {
            /// The page's address.
            url: String,
            /// The page's title.
            title: String,
            /// Where the span begins, in bytes.
            start_index: i64,
            /// Where the span ends, in bytes, exclusive.
            end_index: i64,
        }
    }
}

object! {
    /// A file that backs a span of text.
    pub struct FileCitation as "type" = "file_citation" {
        required {}
        optional {
            /// The URI of the document.
            document_uri: String,
            /// The file's name.
            file_name: String,
            /// The source the file came from.
            source: String,
            /// The id of cited media.
            media_id: String,
            /// The page, from 1.
            page_number: i64,
            /// Metadata the caller stored with the file.
            custom_metadata: JsonObject,
            /// Where the span begins, in bytes.
            start_index: i64,
            /// Where the span ends, in bytes, exclusive.
            end_index: i64,
        }
    }
}

object! {
    /// A place that backs a span of text.
    pub struct PlaceCitation as "type" = "place_citation" {
        required {}
        optional {
            /// The place's id, `places/…`.
            place_id: String,
            /// The place's name.
            name: String,
            /// The place's address on the web.
            url: String,
            /// Reviews that back the text.
            review_snippets: Vec<ReviewSnippet>,
            /// Where the span begins, in bytes.
            start_index: i64,
            /// Where the span ends, in bytes, exclusive.
            end_index: i64,
        }
    }
}

object! {
    /// A review of a place.
    pub struct ReviewSnippet {
        required {}
        optional {
            /// The review's id.
            review_id: String,
            /// The review's title.
            title: String,
            /// The review's address on the web.
            url: String,
        }
    }
}

object! {
    /// One transcribed word.
    pub struct WordInfo as "type" = "word_info" {
        required {}
        optional {
            /// The word.
            text: String,
            /// Who spoke it, for example `spk_1`.
            speaker: String,
            /// When it begins, in seconds with `s`, for example `10.5s`.
            start_offset: String,
            /// When it ends.
            end_offset: String,
            /// Where the span begins, in bytes.
            start_index: i64,
            /// Where the span ends, in bytes, exclusive.
            end_index: i64,
        }
    }
}

object! {
    /// A stretch of speech in a text to be spoken.
    pub struct SpeechMetadata as "type" = "speech_metadata" {
        required {}
        optional {
            /// Who speaks.
            speaker: String,
            /// How it is spoken.
            style: String,
            /// Where the span begins, in bytes.
            start_index: i64,
            /// Where the span ends, in bytes, exclusive.
            end_index: i64,
        }
    }
}
