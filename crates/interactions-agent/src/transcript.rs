//! A run as text that stays the same as long as the run does.

use std::fmt::Write as _;

use interactions_types::{Content, JsonObject, Step, ToolOutput};

/// One line per step; what differs between two runs of the same kind is left out.
pub(crate) fn of(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        // Writing to a string does not fail.
        let _ = match step {
            Step::UserInput(input) => writeln!(text, "user: {}", parts(&input.content)),
            Step::Thought(thought) => writeln!(text, "thought: {}", parts(&thought.summary)),
            Step::ModelOutput(output) => writeln!(text, "model: {}", parts(&output.content)),
            Step::FunctionCall(call) => {
                writeln!(text, "call: {}({})", call.name, arguments(&call.arguments))
            }
            Step::FunctionResult(result) => {
                let name = result.name.as_deref().unwrap_or_default();
                let kind = if result.is_error == Some(true) { "error" } else { "result" };
                writeln!(text, "{kind}: {name} → {}", output(&result.result))
            }
            Step::McpServerToolCall(call) => writeln!(
                text,
                "call: {}.{}({})",
                call.server_name,
                call.name,
                arguments(&call.arguments)
            ),
            Step::McpServerToolResult(result) => {
                let name = result.name.as_deref().unwrap_or_default();
                writeln!(text, "result: {name} → {}", output(&result.result))
            }
            other => writeln!(text, "{}", other.kind()),
        };
    }
    text
}

fn arguments(arguments: &JsonObject) -> String {
    serde_json::to_string(arguments).unwrap_or_default()
}

fn output(output: &ToolOutput) -> String {
    match output {
        ToolOutput::Contents(contents) => parts(contents),
        other => line(&other.to_text()),
    }
}

fn parts(contents: &[Content]) -> String {
    let part = |content: &Content| match content.as_text() {
        Some(text) => line(text),
        None => format!("[{}]", content.kind()),
    };
    contents.iter().map(part).collect::<Vec<_>>().join(" ")
}

fn line(text: &str) -> String {
    text.replace('\n', "\\n")
}
