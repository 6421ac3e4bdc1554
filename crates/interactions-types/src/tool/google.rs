//! Tools that the service runs: code, search, pages, files, maps.

use crate::SearchType;
use crate::wire::object;

object! {
    /// Lets the service run code that the model writes.
    pub struct CodeExecution as "type" = "code_execution" {
        required {}
    }
}

object! {
    /// Lets the service search with Google.
    pub struct GoogleSearch as "type" = "google_search" {
        required {}
        optional {
            /// What it may search; absent means the web.
            search_types: Vec<SearchType>,
        }
    }
}

object! {
    /// Lets the service read pages whose addresses the conversation names.
    pub struct UrlContext as "type" = "url_context" {
        required {}
    }
}

object! {
    /// Lets the service search in file stores of the caller.
    pub struct FileSearch as "type" = "file_search" {
        required {}
        optional {
            /// The stores, `fileSearchStores/…`.
            file_search_store_names: Vec<String>,
            /// How many passages to find at most.
            top_k: i64,
            /// Which files to search, by their metadata.
            metadata_filter: String,
        }
    }
}

object! {
    /// Lets the service ask Google Maps.
    pub struct GoogleMaps as "type" = "google_maps" {
        required {}
        optional {
            /// Where the user is, in degrees.
            latitude: f64,
            /// Where the user is, in degrees.
            longitude: f64,
            /// Whether results bring a token for a map widget.
            enable_widget: bool,
        }
    }
}
