//! The calls of a run: carried out, answered after a restart, and written down with their results.

use std::collections::HashSet;

use futures::StreamExt;
use futures::stream;
use interactions_types::{
    CallId, McpServerToolCall, McpServerToolResultDelta, Step, ToolOutput, decode_value,
};
use serde_json::json;

use super::super::journal::Journal;
use super::super::nesting::{DEEPEST, Nesting};
use super::super::observation;
use super::{Run, Stop, Verdict, interruptible};
use crate::model::ModelError;

/// How many tools of MCP servers one turn runs at a time.
const PARALLEL_CALLS: usize = 8;

impl Run<'_> {
    /// Runs tools of MCP servers side by side and writes their results in the order of the calls.
    pub(super) async fn carry_out(&mut self, calls: Vec<McpServerToolCall>) -> Result<(), Stop> {
        let (toolbox, metrics) = (&self.toolbox, self.engine.metrics());
        let mut results = stream::iter(calls)
            .map(|call| async move {
                let work = toolbox.call(&call.server_name, &call.name, call.arguments.clone());
                let output = observation::tool(metrics, &call, work).await;
                (call, output)
            })
            .buffered(PARALLEL_CALLS);
        while let Some((call, output)) = interruptible(&self.control, results.next()).await? {
            write_result(&mut self.journal, &call, output);
            self.journal.flush().await?;
        }
        Ok(())
    }

    /// Goes on where an earlier attempt broke off: closes what it left open,
    /// and answers tool calls of which nobody knows whether they were carried out.
    pub(super) async fn pick_up(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(resumed) = self.plan.resumed.take() else {
            return Ok(None);
        };
        if self.attachment.is_some() {
            // It went on without us; the next event continues the last one.
            return Ok(None);
        }
        self.journal.break_off();
        let called = |step: &Step| matches!(step, Step::FunctionCall(_));
        if self.plan.model.carries_out_calls() && resumed.steps.iter().any(called) {
            let why = "the server was restarted while the agent used its tools; what they had done is unknown";
            return Err(ModelError::permanent("agent_interrupted", why).into());
        }
        let mut answered: HashSet<CallId> = resumed
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::FunctionResult(result) => Some(result.call_id.clone()),
                Step::McpServerToolResult(result) => Some(result.call_id.clone()),
                _ => None,
            })
            .collect();
        // Nobody must carry out a call whose arguments are not whole, neither the caller nor this server.
        answered.extend(self.answer_broken("the server was restarted"));
        let mut again = Vec::new();
        let mut waiting = false;
        for step in &resumed.steps {
            match step {
                // Only the ending of the run was missing: it stops for the caller.
                Step::FunctionCall(call) => waiting |= !answered.contains(&call.id),
                Step::McpServerToolCall(call) if answered.contains(&call.id) => {}
                Step::McpServerToolCall(call)
                    if self.toolbox.is_repeatable(&call.server_name, &call.name) =>
                {
                    again.push(call.clone());
                }
                Step::McpServerToolCall(call) => {
                    let unknown = "Error: the server was restarted while this tool ran; its outcome is unknown.";
                    write_result(&mut self.journal, call, unknown.into());
                }
                _ => {}
            }
        }
        self.journal.flush().await?;
        self.carry_out(again).await?;
        Ok(waiting.then_some(Verdict::RequiresAction))
    }

    /// Answers calls whose arguments are not whole, so that they are pending for nobody.
    pub(super) fn answer_broken(&mut self, why: &str) -> Vec<CallId> {
        let text = format!("Error: {why} before this call was complete; it was not carried out.");
        let mut answered = Vec::new();
        for step in self.journal.take_broken() {
            match step {
                Step::FunctionCall(call) => {
                    self.journal.start(call.error(text.clone()));
                    let _ = self.journal.stop();
                    answered.push(call.id);
                }
                Step::McpServerToolCall(call) => {
                    write_result(&mut self.journal, &call, text.clone().into());
                    answered.push(call.id);
                }
                _ => {}
            }
        }
        answered
    }
}

/// Writes the result of a tool call as a step. Its payload comes in one delta, as the service sends it.
fn write_result(journal: &mut Journal, call: &McpServerToolCall, output: ToolOutput) {
    // It stands in a delta in an event.
    let output = if Nesting::of_value(&output) + 2 > DEEPEST {
        format!("Error: the result of `{}` is nested too deeply to be read.", call.name).into()
    } else {
        output
    };
    let shell = json!({
        "type": "mcp_server_tool_result",
        "call_id": call.id,
        "name": call.name,
        "server_name": call.server_name,
    });
    // The shell has no result yet, which only decoding can say.
    if let Ok(step) = decode_value::<Step>(&shell) {
        journal.start(step);
        journal.delta(
            McpServerToolResultDelta::new(output)
                .name(call.name.clone())
                .server_name(call.server_name.clone()),
        );
        let _ = journal.stop();
    }
}

#[cfg(test)]
mod tests {
    use interactions_types::JsonObject;
    use serde_json::Value;

    use super::super::super::journal::Sink;
    use super::*;

    #[test]
    fn results_that_nobody_could_read_back_become_an_error_for_the_model() {
        let mut journal = Journal::new("i".into(), Sink::Nobody);
        let call = McpServerToolCall::new("c", "f", "s", JsonObject::new());
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        write_result(&mut journal, &call, ToolOutput::Other(nested(200)));
        write_result(&mut journal, &call, ToolOutput::Other(nested(50)));
        let steps = serde_json::to_value(journal.steps()).unwrap();
        let text = steps[0]["result"].as_str().unwrap();
        assert!(text.contains("nested too deeply"), "{text}");
        assert!(matches!(steps[1]["result"], Value::Array(_)));
    }
}
