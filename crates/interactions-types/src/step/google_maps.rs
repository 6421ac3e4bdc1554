//! Google Maps, asked by the service.

use crate::wire::object;
use crate::{CallId, ReviewSnippet};

object! {
    /// A search on the map.
    pub struct GoogleMapsCall as "type" = "google_maps_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
        }
        optional {
            /// What is searched for.
            arguments: GoogleMapsArguments,
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// What is searched for.
    pub struct GoogleMapsArguments {
        required {}
        default {
            /// The queries.
            queries: Vec<String>,
        }
    }
}

object! {
    /// What the map shows.
    pub struct GoogleMapsResult as "type" = "google_maps_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// What was found. `extra` holds a result that is no list, as documents show some.
            result: Vec<GoogleMapsEntry> as lenient,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// One result of a search on the map.
    pub struct GoogleMapsEntry {
        required {}
        optional {
            /// The places.
            places: Vec<Place>,
            /// The token with which a map widget shows this result, when the tool was asked for it.
            widget_context_token: String,
        }
    }
}

object! {
    /// A place on the map.
    pub struct Place {
        required {}
        optional {
            /// The place's id.
            place_id: String,
            /// The place's name.
            name: String,
            /// The place's address on the web.
            url: String,
            /// Reviews of the place.
            review_snippets: Vec<ReviewSnippet>,
        }
    }
}
