//! Sandboxes as resources: made, listed, looked up.

use crate::wire::{object, open_enum};
use crate::{EnvironmentId, Int64, NetworkChoice, PageToken, Source};

object! {
    /// The body of `POST /environments`.
    pub struct CreateEnvironmentRequest {
        required {}
        optional {
            /// The sandbox to copy, its id bare or after `environments/`; then there are no `sources`.
            from_environment: EnvironmentId,
            /// Files to put in.
            sources: Vec<Source>,
            /// What it may reach; absent, everything.
            network: NetworkChoice,
        }
    }
}

object! {
    /// A sandbox that exists.
    pub struct Environment {
        required {
            /// Its id.
            id: EnvironmentId,
        }
        optional {
            /// Whether it can still be used.
            status: EnvironmentStatus,
            /// The files that were put in.
            sources: Vec<Source>,
            /// What it may reach.
            network: NetworkChoice,
            /// How many files it holds.
            file_count: Int64,
            /// How many bytes they take.
            size_bytes: Int64,
            /// When it was made, RFC 3339.
            created: String,
            /// When it last changed, RFC 3339.
            updated: String,
            /// When it was last used, RFC 3339.
            last_accessed: String,
        }
    }
}

open_enum! {
    /// Whether a sandbox can still be used.
    pub enum EnvironmentStatus {
        /// It can.
        Active = "active",
        /// It is gone, having been unused for long.
        Expired = "expired",
    }
}

object! {
    /// The reply of `GET /environments`.
    pub struct ListEnvironmentsResponse {
        required {}
        default {
            /// The sandboxes of this page.
            environments: Vec<Environment>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}
