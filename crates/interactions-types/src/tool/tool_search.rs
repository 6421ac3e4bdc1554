//! The search for functions whose loading is deferred.

use serde_json::Value;

use crate::wire::{object, open_enum};

object! {
    /// Lets the model find functions that were declared with `defer_loading`.
    pub struct ToolSearch as "type" = "tool_search" {
        required {}
        optional {
            /// Who searches.
            execution: ToolSearchExecution,
            /// The name the model calls it by; only where the client searches.
            name: String,
            /// What it does, for the model; only where the client searches.
            description: String,
            /// Its arguments, a JSON Schema; only where the client searches.
            parameters: Value,
        }
    }
}

open_enum! {
    /// Who searches for deferred functions.
    pub enum ToolSearchExecution {
        /// The service.
        Server = "server",
        /// The client, which answers with the functions.
        Client = "client",
    }
}
