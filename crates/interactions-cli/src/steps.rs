//! Interactions and their steps as a person reads them.

use std::time::{Duration, Instant};

use interactions_types::{
    Content, Delta, Interaction, JsonObject, Status, Step, StreamEvent, ToolOutput, Usage,
};

use jiff::Timestamp;

use crate::output::{out, outln};
use crate::paint::{ATTENTION, DIM, ERROR, GOOD, TOOL, one_line, plain};

const WIDTH: usize = 160;
/// A step that takes longer shows its duration.
const NOTABLE: Duration = Duration::from_millis(500);

/// One line about an interaction: id, status, who answered, what it cost.
pub(crate) fn summary_line(interaction: &Interaction) -> String {
    let style = match interaction.status {
        Status::Completed => GOOD,
        Status::Failed => ERROR,
        _ => ATTENTION,
    };
    let who = interaction.model.as_ref().map(ToString::to_string);
    let who = who
        .or_else(|| interaction.agent.as_ref().map(|agent| format!("agent {agent}")))
        .unwrap_or_default();
    let mut line = format!("{}  {style}{}{style:#}  {who}", interaction.id, interaction.status);
    if let Some(created) = &interaction.created {
        line.push_str(&format!("  {created}"));
    }
    if let Some(took) = took(interaction) {
        line.push_str(&format!("  {}", seconds(took)));
    }
    if let Some(usage) = &interaction.usage {
        line.push_str(&format!("  {}", tokens(usage)));
    }
    line
}

/// From its creation to its end, as far as whole seconds tell.
fn took(interaction: &Interaction) -> Option<Duration> {
    if interaction.status.is_running() {
        return None;
    }
    let moment = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
    let took = moment(&interaction.updated)?.duration_since(moment(&interaction.created)?);
    Duration::try_from(took).ok().filter(|took| !took.is_zero())
}

/// A duration as people say it.
fn seconds(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

/// What an interaction cost, in words.
pub(crate) fn tokens(usage: &Usage) -> String {
    let part = |count: Option<i64>, name: &str| {
        count.filter(|count| *count > 0).map(|count| format!("{count} {name}"))
    };
    let parts: Vec<String> = [
        part(usage.total_input_tokens, "in"),
        part(usage.total_thought_tokens, "thought"),
        part(usage.total_output_tokens, "out"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        "no tokens counted".to_owned()
    } else {
        format!("{} tokens", parts.join(" + "))
    }
}

/// Every step of an interaction, then its faults.
pub(crate) fn show_all(interaction: &Interaction) {
    if let Some(previous) = &interaction.previous_interaction_id {
        outln!("{DIM}continues {previous}{DIM:#}");
    }
    for step in &interaction.steps {
        show(step);
    }
    for error in interaction.errors.iter().flatten() {
        outln!("{ERROR}✗ {error}{ERROR:#}");
    }
}

fn show(step: &Step) {
    match step {
        Step::UserInput(input) => {
            outln!("{TOOL}›{TOOL:#} {}", contents(&input.content));
        }
        Step::ModelOutput(output) => outln!("{}", contents(&output.content)),
        Step::Thought(thought) if thought.summary.is_empty() => {}
        Step::Thought(thought) => outln!("{DIM}{}{DIM:#}", contents(&thought.summary)),
        Step::FunctionCall(call) => {
            outln!("{}", call_line(&call.name, None, &call.arguments));
        }
        Step::McpServerToolCall(call) => {
            outln!("{}", call_line(&call.name, Some(&call.server_name), &call.arguments));
        }
        Step::FunctionResult(result) => {
            outln!("{}", result_line(&result.result, result.is_error == Some(true)));
        }
        Step::McpServerToolResult(result) => {
            outln!("{}", result_line(&result.result, false));
        }
        other => outln!("{DIM}[{}]{DIM:#}", other.kind()),
    }
}

/// A tool call on one line.
pub(crate) fn call_line(name: &str, server: Option<&str>, arguments: &JsonObject) -> String {
    let arguments = serde_json::to_string(arguments).unwrap_or_default();
    let server = server.map(|server| format!(" {DIM}on {server}{DIM:#}")).unwrap_or_default();
    format!("{TOOL}⚙ {name}{TOOL:#}{server} {DIM}{}{DIM:#}", one_line(&arguments, WIDTH))
}

/// A tool's result on one line.
pub(crate) fn result_line(output: &ToolOutput, failed: bool) -> String {
    let text = one_line(&output.to_text(), WIDTH);
    if failed {
        format!("  {ERROR}✗{ERROR:#} {text}")
    } else {
        format!("  {GOOD}✓{GOOD:#} {DIM}{text}{DIM:#}")
    }
}

fn contents(contents: &[Content]) -> String {
    let part = |content: &Content| match content {
        Content::Text(text) => plain(&text.text),
        other => format!("[{}]", other.kind()),
    };
    contents.iter().map(part).collect()
}

/// Shows the events of a stream as they come.
#[derive(Debug, Default)]
pub(crate) struct LiveSteps {
    /// The open step.
    step: Option<Step>,
    arguments: String,
    /// Whether the last thing written was not a whole line.
    midline: bool,
    /// When the open step began to come.
    began: Option<Instant>,
}

impl LiveSteps {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn show(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::StepStart(start) => {
                self.step = Some(start.step.clone());
                self.arguments.clear();
                self.began = Some(Instant::now());
                match &start.step {
                    Step::ModelOutput(output) => self.write(&contents(&output.content), false),
                    Step::Thought(thought) => self.write(&contents(&thought.summary), true),
                    _ => {}
                }
            }
            StreamEvent::StepDelta(delta) => self.grow(&delta.delta),
            StreamEvent::StepStop(_) => self.end_step(),
            StreamEvent::Completed(completed) => {
                self.end_line();
                for error in completed.interaction.errors.iter().flatten() {
                    outln!("{ERROR}✗ {error}{ERROR:#}");
                }
                outln!("{}", summary_line(&completed.interaction));
            }
            _ => {}
        }
    }

    fn grow(&mut self, delta: &Delta) {
        match delta {
            Delta::Text(text) => self.write(&text.text, false),
            Delta::ThoughtSummary(summary) => {
                self.write(
                    summary.content.as_ref().and_then(Content::as_text).unwrap_or_default(),
                    true,
                );
            }
            Delta::Arguments(arguments) => {
                self.arguments.push_str(arguments.arguments.as_deref().unwrap_or_default());
            }
            Delta::McpServerToolCall(call) => {
                self.end_line();
                outln!("{}", call_line(&call.name, Some(&call.server_name), &call.arguments));
            }
            Delta::McpServerToolResult(result) => {
                self.end_line();
                outln!("{}", result_line(&result.result, false));
            }
            _ => {}
        }
    }

    fn end_step(&mut self) {
        self.end_line();
        if let Some(Step::FunctionCall(mut call)) = self.step.take() {
            if let Ok(arguments) = serde_json::from_str(&self.arguments) {
                call.arguments = arguments;
            }
            outln!("{}", call_line(&call.name, None, &call.arguments));
        }
        // What is read from the log comes at once; only what is waited for has a duration.
        let took = self.began.take().map(|began| began.elapsed());
        if let Some(took) = took.filter(|took| *took >= NOTABLE) {
            outln!("{DIM}  {}{DIM:#}", seconds(took));
        }
    }

    fn write(&mut self, text: &str, dim: bool) {
        if text.is_empty() {
            return;
        }
        let text = plain(text);
        if dim {
            out!("{DIM}{text}{DIM:#}");
        } else {
            out!("{text}");
        }
        self.midline = !text.ends_with('\n');
    }

    fn end_line(&mut self) {
        if self.midline {
            outln!();
            self.midline = false;
        }
    }
}
