//! Retrieval from search engines and stores of the caller, run by the service.

use crate::CallId;
use crate::wire::{object, open_enum};

object! {
    /// A search in an engine or store of the caller.
    pub struct RetrievalCall as "type" = "retrieval_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// What is searched for.
            arguments: RetrievalArguments,
        }
        optional {
            /// Where it is searched.
            retrieval_type: RetrievalType,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// What is searched for.
    pub struct RetrievalArguments {
        required {}
        default {
            /// The queries.
            queries: Vec<String>,
        }
    }
}

object! {
    /// The end of such a search. What was found is not told.
    pub struct RetrievalResult as "type" = "retrieval_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

open_enum! {
    /// Where retrieval searches.
    pub enum RetrievalType {
        /// Vertex AI Search.
        VertexAiSearch = "vertex_ai_search",
        /// A RAG corpus.
        RagStore = "rag_store",
        /// Exa.
        ExaAiSearch = "exa_ai_search",
        /// Parallel.
        ParallelAiSearch = "parallel_ai_search",
    }
}
