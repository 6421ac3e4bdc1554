//! Google Search, run by the service.

use crate::CallId;
use crate::wire::{object, open_enum};

object! {
    /// A search with Google.
    pub struct GoogleSearchCall as "type" = "google_search_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// What is searched for.
            arguments: GoogleSearchArguments,
        }
        optional {
            /// What kind of search it is.
            search_type: SearchType,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// What is searched for.
    pub struct GoogleSearchArguments {
        required {}
        default {
            /// The queries.
            queries: Vec<String>,
        }
    }
}

object! {
    /// What the search found.
    ///
    /// The sources show as citations in the answer's text.
    pub struct GoogleSearchResult as "type" = "google_search_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// What to show. `extra` holds a result that is no list, as documents show some.
            result: Vec<GoogleSearchEntry> as lenient,
        }
        optional {
            /// Whether the tool failed.
            is_error: bool,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// One result of a search.
    pub struct GoogleSearchEntry {
        required {}
        optional {
            /// HTML and CSS of a widget with suggestions, which has to be shown with the answer.
            search_suggestions: String,
        }
    }
}

open_enum! {
    /// What is searched.
    pub enum SearchType {
        /// Texts on the web.
        WebSearch = "web_search",
        /// Images on the web.
        ImageSearch = "image_search",
        /// The web as enterprises see it.
        EnterpriseWebSearch = "enterprise_web_search",
    }
}
