//! Decisions.

use http::Method;
use interactions_types::{CreateDecisionRequest, CreateDecisionResponse};

use crate::{Call, Client};

impl Client {
    /// Has a model answer questions about an input, each with its odds.
    pub fn decide(&self, request: &CreateDecisionRequest) -> Call<CreateDecisionResponse> {
        Call::new(self, "create_decision", Method::POST, &["decisions"]).json(request)
    }
}
