//! Deltas: what a stream adds to the step that is open.

mod service;

use crate::wire::{object, union};
use crate::{
    Annotation, AudioMimeType, Content, DocumentMimeType, ImageMimeType, JsonObject,
    MediaResolution, ToolOutput, VideoMimeType,
};

pub use service::{
    CodeExecutionCallDelta, CodeExecutionResultDelta, FileSearchCallDelta, FileSearchResultDelta,
    GoogleMapsCallDelta, GoogleMapsResultDelta, GoogleSearchCallDelta, GoogleSearchResultDelta,
    ProcessingCallDelta, ProcessingResultDelta, RetrievalCallDelta, RetrievalResultDelta,
    ToolSearchCallDelta, ToolSearchResultDelta, UrlContextCallDelta, UrlContextResultDelta,
};

union! {
    /// What one `step.delta` event adds to its step (`type` tells the kind).
    pub enum Delta by "type" {
        /// More text of a model output.
        Text(TextDelta) = "text",
        /// Annotations of the text so far.
        TextAnnotation(TextAnnotationDelta) = "text_annotation_delta",
        /// An image of a model output.
        Image(ImageDelta) = "image",
        /// Sound of a model output.
        Audio(AudioDelta) = "audio",
        /// A video of a model output.
        Video(VideoDelta) = "video",
        /// A document of a model output.
        Document(DocumentDelta) = "document",
        /// More of a thought's summary.
        ThoughtSummary(ThoughtSummaryDelta) = "thought_summary",
        /// A thought's signature.
        ThoughtSignature(ThoughtSignatureDelta) = "thought_signature",
        /// More of a function call's arguments, as a piece of JSON text.
        Arguments(ArgumentsDelta) = "arguments_delta",
        /// A function result, whole.
        FunctionResult(FunctionResultDelta) = "function_result",
        /// The call of a tool on an MCP server, whole.
        McpServerToolCall(McpServerToolCallDelta) = "mcp_server_tool_call",
        /// The result of a tool on an MCP server, whole.
        McpServerToolResult(McpServerToolResultDelta) = "mcp_server_tool_result",
        /// Code that the service runs, whole.
        CodeExecutionCall(CodeExecutionCallDelta) = "code_execution_call",
        /// What that code printed or made, whole.
        CodeExecutionResult(CodeExecutionResultDelta) = "code_execution_result",
        /// A search with Google, whole.
        GoogleSearchCall(GoogleSearchCallDelta) = "google_search_call",
        /// What the search found, whole.
        GoogleSearchResult(GoogleSearchResultDelta) = "google_search_result",
        /// Pages that the service reads, whole.
        UrlContextCall(UrlContextCallDelta) = "url_context_call",
        /// How reading them went, whole.
        UrlContextResult(UrlContextResultDelta) = "url_context_result",
        /// A search in file stores, whole.
        FileSearchCall(FileSearchCallDelta) = "file_search_call",
        /// The end of that search, whole.
        FileSearchResult(FileSearchResultDelta) = "file_search_result",
        /// A search on the map, whole.
        GoogleMapsCall(GoogleMapsCallDelta) = "google_maps_call",
        /// What the map shows, whole.
        GoogleMapsResult(GoogleMapsResultDelta) = "google_maps_result",
        /// A search in engines or stores of the caller, whole.
        RetrievalCall(RetrievalCallDelta) = "retrieval_call",
        /// The end of that search, whole.
        RetrievalResult(RetrievalResultDelta) = "retrieval_result",
        /// The model asks for deferred functions, whole.
        ToolSearchCall(ToolSearchCallDelta) = "tool_search_call",
        /// Those functions, whole.
        ToolSearchResult(ToolSearchResultDelta) = "tool_search_result",
        /// The service looks at media more closely, whole.
        ProcessingCall(ProcessingCallDelta) = "processing_call",
        /// The end of that look, whole.
        ProcessingResult(ProcessingResultDelta) = "processing_result",
    }
}

object! {
    /// More text of a model output.
    pub struct TextDelta as "type" = "text" {
        required {
            /// The piece of text to append.
            text: String,
        }
    }
}

object! {
    /// Annotations of the text so far.
    pub struct TextAnnotationDelta as "type" = "text_annotation_delta" {
        required {}
        default {
            /// The annotations to add.
            annotations: Vec<Annotation>,
        }
    }
}

object! {
    /// An image of a model output.
    pub struct ImageDelta as "type" = "image" {
        required {}
        optional {
            /// The bytes in base64.
            data: String,
            /// Where the image is.
            uri: String,
            /// What the bytes are.
            mime_type: ImageMimeType,
            /// How fine it is.
            resolution: MediaResolution,
        }
    }
}

object! {
    /// Sound of a model output.
    pub struct AudioDelta as "type" = "audio" {
        required {}
        optional {
            /// The bytes in base64.
            data: String,
            /// Where the sound is.
            uri: String,
            /// What the bytes are.
            mime_type: AudioMimeType,
            /// The number of channels.
            channels: i64,
            /// The sample rate in hertz.
            sample_rate: i64,
            /// The sample rate in hertz; the service ignores it.
            #[deprecated(note = "use `sample_rate`")]
            rate: i64,
        }
    }
}

object! {
    /// A video of a model output.
    pub struct VideoDelta as "type" = "video" {
        required {}
        optional {
            /// The bytes in base64.
            data: String,
            /// Where the video is.
            uri: String,
            /// What the bytes are.
            mime_type: VideoMimeType,
            /// How fine it is.
            resolution: MediaResolution,
        }
    }
}

object! {
    /// A document of a model output.
    pub struct DocumentDelta as "type" = "document" {
        required {}
        optional {
            /// The bytes in base64.
            data: String,
            /// Where the document is.
            uri: String,
            /// What the bytes are.
            mime_type: DocumentMimeType,
        }
    }
}

object! {
    /// More of a thought's summary.
    pub struct ThoughtSummaryDelta as "type" = "thought_summary" {
        required {}
        optional {
            /// The part to add; text continues the text before it.
            content: Content,
        }
    }
}

object! {
    /// A thought's signature.
    pub struct ThoughtSignatureDelta as "type" = "thought_signature" {
        required {}
        optional {
            /// The signature in base64.
            signature: String,
        }
    }
}

object! {
    /// More of a function call's arguments.
    pub struct ArgumentsDelta as "type" = "arguments_delta" {
        required {}
        optional {
            /// A piece of JSON text; the pieces joined are the arguments.
            arguments: String,
        }
    }
}

object! {
    /// A function result, whole.
    pub struct FunctionResultDelta as "type" = "function_result" {
        required {
            /// What the function returned.
            result: ToolOutput,
        }
        optional {
            /// The function's name.
            name: String,
            /// Whether the function failed.
            is_error: bool,
        }
    }
}

object! {
    /// The call of a tool on an MCP server, whole.
    pub struct McpServerToolCallDelta as "type" = "mcp_server_tool_call" {
        required {
            /// The tool's name.
            name: String,
            /// The server's name.
            server_name: String,
            /// The tool's arguments.
            arguments: JsonObject,
        }
    }
}

object! {
    /// The result of a tool on an MCP server, whole.
    pub struct McpServerToolResultDelta as "type" = "mcp_server_tool_result" {
        required {
            /// What the tool returned.
            result: ToolOutput,
        }
        optional {
            /// The tool's name.
            name: String,
            /// The server's name.
            server_name: String,
        }
    }
}
