//! What a paused run waits for, and what people say to it.

use std::collections::BTreeMap;

use interactions_types::{CallId, JsonObject, ToolOutput};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call that waits for somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PendingCall {
    /// The call.
    pub id: CallId,
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: JsonObject,
    /// What it waits for.
    pub need: Need,
}

/// What a call waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Need {
    /// Somebody has to allow it.
    Approval,
    /// Somebody else carries it out.
    Result,
    /// The tool asks a person.
    Input {
        /// What it asks.
        message: String,
        /// What the answer should look like, a JSON Schema.
        schema: Option<Value>,
    },
}

/// What somebody says to a call that waits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// It may run.
    Approve,
    /// It may run with these arguments instead.
    ApproveWith(JsonObject),
    /// It must not run; the model is told why.
    Deny(String),
    /// The result of a call that was carried out elsewhere, or the answer to what a tool asked.
    Answer(ToolOutput),
}

/// Decisions by call. Calls without one go on waiting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions(pub(crate) BTreeMap<CallId, Decision>);

impl Decisions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call may run.
    #[must_use]
    pub fn approve(self, call: impl Into<CallId>) -> Self {
        self.with(call, Decision::Approve)
    }

    /// The call may run with other arguments.
    #[must_use]
    pub fn approve_with(self, call: impl Into<CallId>, arguments: JsonObject) -> Self {
        self.with(call, Decision::ApproveWith(arguments))
    }

    /// The call must not run, and why, in words for the model.
    #[must_use]
    pub fn deny(self, call: impl Into<CallId>, why: impl Into<String>) -> Self {
        self.with(call, Decision::Deny(why.into()))
    }

    /// What the call gave elsewhere, or what a person answers to the tool.
    #[must_use]
    pub fn answer(self, call: impl Into<CallId>, output: impl Into<ToolOutput>) -> Self {
        self.with(call, Decision::Answer(output.into()))
    }

    /// Decides one call; a later decision replaces an earlier one.
    #[must_use]
    pub fn with(mut self, call: impl Into<CallId>, decision: Decision) -> Self {
        self.0.insert(call.into(), decision);
        self
    }
}
