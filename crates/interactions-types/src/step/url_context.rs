//! Pages that the service reads.

use crate::CallId;
use crate::wire::{object, open_enum};

object! {
    /// Pages that the service reads.
    pub struct UrlContextCall as "type" = "url_context_call" {
        required {
            /// The id that the result repeats.
            id: CallId,
            /// What is read.
            arguments: UrlContextArguments,
        }
        optional {
            /// Proof of the step in base64; send it back unmodified.
            signature: String,
        }
    }
}

object! {
    /// What is read.
    pub struct UrlContextArguments {
        required {}
        default {
            /// The addresses.
            urls: Vec<String>,
        }
    }
}

object! {
    /// How reading the pages went.
    pub struct UrlContextResult as "type" = "url_context_result" {
        required {
            /// The id of the call that this answers.
            call_id: CallId,
            /// One entry for each page. `extra` holds a result that is no list, as documents show some.
            result: Vec<UrlContextEntry> as lenient,
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
    /// How reading one page went.
    pub struct UrlContextEntry {
        required {}
        optional {
            /// The address.
            url: String,
            /// How it went.
            status: UrlStatus,
        }
    }
}

open_enum! {
    /// How reading a page went.
    pub enum UrlStatus {
        /// It was read.
        Success = "success",
        /// It could not be read.
        Error = "error",
        /// It asks for payment.
        Paywall = "paywall",
        /// It is unsafe.
        Unsafe = "unsafe",
    }
}
