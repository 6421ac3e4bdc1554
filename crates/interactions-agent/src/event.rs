//! What a run tells on the way, and what it leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use interactions_types::{
    CallId, Interaction, InteractionId, JsonObject, Status, Step, ToolOutput, Usage,
};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{AgentError, PendingCall, RunState};

pub(crate) type EventSender = futures::channel::mpsc::Sender<Result<RunEvent, AgentError>>;

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
    /// A piece of the call's arguments, JSON text.
    CallArguments {
        /// The call.
        id: CallId,
        /// The text to append.
        text: String,
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
    /// A tool tells how far it is.
    ToolProgress {
        /// The call.
        id: CallId,
        /// The tool's name.
        name: String,
        /// What it tells.
        progress: Value,
    },
    /// The model is to call a tool again in another way.
    Retry {
        /// The call that went wrong.
        id: CallId,
        /// The tool's name.
        name: String,
        /// How often that happened with this tool in this run.
        attempt: u32,
        /// What the model is told.
        message: String,
    },
    /// A call waits for somebody; the run will pause when nothing else is left to do.
    ApprovalNeeded(PendingCall),
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
    /// What the run has cost so far.
    Usage {
        /// All turns together.
        total: Box<Usage>,
    },
    /// Another agent goes on.
    HandedOff {
        /// Its name.
        to: String,
    },
    /// The conversation was made shorter.
    Compacted {
        /// How many steps it had.
        before: usize,
        /// How many it has.
        after: usize,
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
    /// What all turns cost together, and what was spent beside them: by agents as tools, and to
    /// make the conversation shorter.
    pub usage: Usage,
    /// How often the model was asked.
    pub turns: u32,
    /// How many calls of tools ran.
    pub tool_calls: u32,
    /// How it ended.
    pub ending: Ending,
    /// The conversation, the part before this run included, as far as it is held here.
    #[serde(skip)]
    pub(crate) context: Vec<Step>,
    #[serde(skip)]
    pub(crate) whole: bool,
    #[serde(skip)]
    pub(crate) last_usage: Usage,
    #[serde(skip)]
    pub(crate) calls_made: BTreeMap<String, u32>,
    /// Results of which the model has not heard.
    #[serde(skip)]
    pub(crate) unsent: Vec<Step>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// With an answer.
    #[default]
    Answered,
    /// Calls wait for somebody; [`Agent::resume`](crate::Agent::resume) goes on from here.
    Paused(Box<RunState>),
    /// The program has stopped it, and why.
    Stopped(String),
}

impl Outcome {
    pub(crate) fn of(state: RunState, ending: Ending) -> Self {
        Self {
            tool_calls: state.calls_made.values().sum(),
            interaction: state.interaction,
            steps: state.steps,
            usage: state.usage,
            turns: state.turns,
            ending,
            context: state.context,
            whole: state.whole,
            last_usage: state.last_usage,
            calls_made: state.calls_made,
            unsent: state.unsent,
        }
    }

    /// The same, with what the run before it has cost.
    pub(crate) fn with_earlier(mut self, before: &Self) -> Self {
        self.usage += &before.usage;
        self.turns += before.turns;
        self.tool_calls += before.tool_calls;
        for (tool, calls) in &before.calls_made {
            *self.calls_made.entry(tool.clone()).or_default() += calls;
        }
        self
    }

    /// The answer's text.
    #[must_use]
    pub fn output_text(&self) -> String {
        self.interaction.output_text()
    }

    /// The run as it waits for somebody, if it does.
    #[must_use]
    pub fn paused(&self) -> Option<&RunState> {
        match &self.ending {
            Ending::Paused(state) => Some(state),
            _ => None,
        }
    }

    /// The run as text, one line per step, without ids, times and signatures:
    /// the same run gives the same text, so that tests can compare it.
    #[must_use]
    pub fn transcript(&self) -> String {
        crate::transcript::of(&self.steps)
    }
}
