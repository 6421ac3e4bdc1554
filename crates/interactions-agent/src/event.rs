//! What a run tells on the way, and what it leaves.

use std::time::Duration;

use interactions_types::{
    CallId, Interaction, InteractionId, JsonObject, Status, Step, ToolOutput, Usage,
};
use serde::{Serialize, Serializer};

/// Something that happened in a run.
///
/// Serialised, it is an object whose `event` names the kind in snake case; durations are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// The model is asked.
    TurnStarted {
        /// Which time it is, from 1.
        turn: u32,
    },
    /// The service has begun an interaction.
    Created {
        /// Its id; empty when it is not stored.
        id: InteractionId,
        /// The model or agent that answers, as the service names it.
        by: String,
    },
    /// A piece of a thought's summary.
    Thought {
        /// The text to append.
        text: String,
    },
    /// A piece of the answer.
    Text {
        /// The text to append.
        text: String,
    },
    /// The model begins to call a tool.
    CallStarted {
        /// The call.
        id: CallId,
        /// The tool's name.
        name: String,
    },
    /// The call is complete, and the tool runs.
    CallReady {
        /// The call.
        id: CallId,
        /// The tool's name.
        name: String,
        /// Its arguments.
        arguments: JsonObject,
    },
    /// A tool has ended.
    ToolFinished {
        /// The call.
        id: CallId,
        /// The tool's name.
        name: String,
        /// What goes back to the model.
        output: ToolOutput,
        /// Whether it failed.
        is_error: bool,
        /// How long it took.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    /// The service calls a tool of an MCP server itself.
    ServerCall {
        /// The server's label.
        server: String,
        /// The tool's name.
        name: String,
        /// Its arguments.
        arguments: JsonObject,
    },
    /// Such a tool has ended.
    ServerResult {
        /// The server's label.
        server: String,
        /// The tool's name.
        name: String,
        /// What it answered.
        output: ToolOutput,
    },
    /// The model has answered, or called tools.
    TurnFinished {
        /// The interaction; empty when it is not stored.
        id: InteractionId,
        /// How it ended.
        status: Status,
        /// What it cost.
        usage: Option<Box<Usage>>,
    },
    /// The run is over; always the last event of a run that ends well.
    Finished(Box<Outcome>),
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What a run leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The last interaction.
    pub interaction: Interaction,
    /// Every step of the run in order: what was put in, thoughts, calls, results, answers.
    pub steps: Vec<Step>,
    /// What all turns cost together.
    pub usage: Usage,
    /// How often the model was asked.
    pub turns: u32,
}

impl Outcome {
    /// The answer's text.
    #[must_use]
    pub fn output_text(&self) -> String {
        self.interaction.output_text()
    }
}
