//! Retrieval from search engines and stores of the caller.

use crate::wire::object;
use crate::{JsonObject, RetrievalType};

object! {
    /// Lets the service search in engines and stores of the caller.
    pub struct Retrieval as "type" = "retrieval" {
        required {}
        optional {
            /// Where to search; each has its settings below.
            retrieval_types: Vec<RetrievalType>,
            /// Settings of Vertex AI Search.
            vertex_ai_search_config: Box<VertexAiSearchConfig>,
            /// Settings of RAG corpora.
            rag_store_config: Box<RagStoreConfig>,
            /// Settings of Exa.
            exa_ai_search_config: Box<ExaAiSearchConfig>,
            /// Settings of Parallel.
            parallel_ai_search_config: Box<ParallelAiSearchConfig>,
        }
    }
}

object! {
    /// Settings of Vertex AI Search.
    pub struct VertexAiSearchConfig {
        required {}
        optional {
            /// The engine.
            engine: String,
            /// The data stores.
            datastores: Vec<String>,
        }
    }
}

object! {
    /// Settings of RAG corpora.
    pub struct RagStoreConfig {
        required {}
        optional {
            /// What to search.
            rag_resources: Vec<RagResource>,
            /// How to search.
            rag_retrieval_config: RagRetrievalConfig,
            /// How many passages to find at most.
            #[deprecated(note = "use `top_k` of `rag_retrieval_config`")]
            similarity_top_k: i64,
            /// Only passages nearer than this.
            #[deprecated(note = "use `vector_distance_threshold` of the `filter` of `rag_retrieval_config`")]
            vector_distance_threshold: f64,
        }
    }
}

object! {
    /// A corpus, or some of its files.
    pub struct RagResource {
        required {}
        optional {
            /// The corpus.
            rag_corpus: String,
            /// The files; absent means all.
            rag_file_ids: Vec<String>,
        }
    }
}

object! {
    /// How to search in RAG corpora.
    pub struct RagRetrievalConfig {
        required {}
        optional {
            /// How many passages to find at most.
            top_k: i64,
            /// Which passages count.
            filter: RagFilter,
            /// How search by vectors and by words are weighed.
            hybrid_search: HybridSearch,
            /// How passages are put in order.
            ranking: Ranking,
        }
    }
}

object! {
    /// Which passages count.
    pub struct RagFilter {
        required {}
        optional {
            /// By metadata.
            metadata_filter: String,
            /// Only those nearer than this.
            vector_distance_threshold: f64,
            /// Only those more similar than this.
            vector_similarity_threshold: f64,
        }
    }
}

object! {
    /// How search by vectors and by words are weighed.
    pub struct HybridSearch {
        required {}
        optional {
            /// From 0, words only, to 1, vectors only.
            alpha: f64,
        }
    }
}

object! {
    /// How passages are put in order.
    pub struct Ranking as "ranking_config" = "rank_service" {
        required {}
        optional {
            /// The model that ranks.
            model_name: String,
            /// The service that ranks.
            rank_service: RankService,
        }
    }
}

object! {
    /// A service that ranks.
    pub struct RankService {
        required {}
        optional {
            /// Its model.
            model_name: String,
        }
    }
}

object! {
    /// Settings of Exa.
    pub struct ExaAiSearchConfig {
        required {
            /// The key to Exa. Secret.
            api_key: String as secret,
        }
        optional {
            /// Further settings, free-form.
            custom_config: JsonObject,
        }
    }
}

object! {
    /// Settings of Parallel.
    pub struct ParallelAiSearchConfig {
        required {}
        optional {
            /// The key to Parallel. Secret.
            api_key: String as secret,
            /// Further settings, free-form.
            custom_config: JsonObject,
        }
    }
}
