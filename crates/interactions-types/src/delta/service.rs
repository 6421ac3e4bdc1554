//! Deltas of the steps that the service's own tools make, each with its whole payload.

use crate::wire::object;
use crate::{
    CodeExecutionArguments, Function, GoogleMapsArguments, GoogleMapsEntry, GoogleSearchArguments,
    GoogleSearchEntry, JsonObject, RetrievalArguments, RetrievalType, ToolOutput,
    ToolSearchArguments, UrlContextArguments, UrlContextEntry,
};

object! {
    /// Code that the service runs, whole.
    pub struct CodeExecutionCallDelta as "type" = "code_execution_call" {
        required {
            /// The code.
            arguments: CodeExecutionArguments,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// What the code printed, whole.
    pub struct CodeExecutionResultDelta as "type" = "code_execution_result" {
        required {
            /// The output.
            result: ToolOutput,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// A search, whole.
    pub struct GoogleSearchCallDelta as "type" = "google_search_call" {
        required {
            /// What is searched for.
            arguments: GoogleSearchArguments,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// What a search found, whole.
    pub struct GoogleSearchResultDelta as "type" = "google_search_result" {
        required {
            /// What to show.
            result: Vec<GoogleSearchEntry> as lenient,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// Pages to read, whole.
    pub struct UrlContextCallDelta as "type" = "url_context_call" {
        required {
            /// What is read.
            arguments: UrlContextArguments,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// How reading pages went, whole.
    pub struct UrlContextResultDelta as "type" = "url_context_result" {
        required {
            /// One entry for each page.
            result: Vec<UrlContextEntry> as lenient,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// A search in file stores.
    pub struct FileSearchCallDelta as "type" = "file_search_call" {
        required {}
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// The end of a search in file stores.
    pub struct FileSearchResultDelta as "type" = "file_search_result" {
        required {
            /// Objects without defined fields; the step does not keep them.
            result: Vec<JsonObject> as lenient,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// A search on the map, whole.
    pub struct GoogleMapsCallDelta as "type" = "google_maps_call" {
        required {}
        optional {
            /// What is searched for.
            arguments: GoogleMapsArguments,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// What the map shows, whole.
    pub struct GoogleMapsResultDelta as "type" = "google_maps_result" {
        required {}
        default {
            /// What was found.
            result: Vec<GoogleMapsEntry> as lenient,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// A search in engines or stores of the caller, whole.
    pub struct RetrievalCallDelta as "type" = "retrieval_call" {
        required {
            /// What is searched for.
            arguments: RetrievalArguments,
        }
        optional {
            /// Where it is searched.
            retrieval_type: RetrievalType,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// The end of such a search.
    pub struct RetrievalResultDelta as "type" = "retrieval_result" {
        required {}
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// A search for deferred functions, whole.
    pub struct ToolSearchCallDelta as "type" = "tool_search_call" {
        required {}
        optional {
            /// What is asked for.
            arguments: ToolSearchArguments,
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// The functions found, whole.
    pub struct ToolSearchResultDelta as "type" = "tool_search_result" {
        required {}
        default {
            /// The functions.
            result: Vec<Function> as lenient,
        }
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// The service looks at media more closely.
    pub struct ProcessingCallDelta as "type" = "processing_call" {
        required {}
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}

object! {
    /// The end of that look.
    pub struct ProcessingResultDelta as "type" = "processing_result" {
        required {}
        optional {
            /// Proof of the step in base64; empty announces one still to come.
            signature: String,
        }
    }
}
