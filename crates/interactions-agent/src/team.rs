//! Agents that work together: as tools of each other, or one after the other.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use interactions_types::{Function, JsonObject, ToolOutput, Usage};
use serde_json::{Value, json};

use crate::{Agent, RunEvent, Tool, ToolContext, ToolError, ToolRules};

const TRANSFER: &str = "transfer_to_";

impl Agent {
    /// This agent as a tool of another one: it is given a task in words and returns its answer.
    ///
    /// It runs by itself, without the other's conversation. What it says on the way is the tool's
    /// progress, what it costs counts to the other's run, even if it is broken off.
    ///
    /// It has no time limit as a tool: several turns take longer than a tool may. What ends it are
    /// its own [`Limits`](crate::Limits), those of the other's run, and
    /// [`timeout`](crate::ToolExt::timeout).
    #[must_use]
    pub fn as_tool(&self, name: impl Into<String>, description: impl Into<String>) -> AgentTool {
        AgentTool { agent: self.clone(), name: name.into(), description: description.into() }
    }
}

/// An agent as a tool; made by [`Agent::as_tool`].
#[derive(Clone, Debug)]
pub struct AgentTool {
    agent: Agent,
    name: String,
    description: String,
}

#[async_trait]
impl Tool for AgentTool {
    fn declaration(&self) -> Function {
        let task = json!({"type": "string", "description": "What is to be done, with all that is needed to know."});
        let schema = json!({"type": "object", "properties": {"task": task}, "required": ["task"]});
        Function::new(&self.name).description(&self.description).parameters(schema)
    }

    fn rules(&self) -> ToolRules {
        ToolRules { timeout: Some(Duration::MAX), ..ToolRules::default() }
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        let Some(task) = arguments.get("task").and_then(Value::as_str) else {
            return Err(ToolError::retry("the arguments do not fit at `task`: a text is wanted"));
        };
        let mut bill = Bill { of: &context, known: Usage::default() };
        let mut run = self.agent.stream(task);
        while let Some(event) = run.next().await {
            match event {
                Ok(RunEvent::Finished(outcome)) => {
                    bill.known = outcome.usage.clone();
                    return if outcome.paused().is_some() {
                        let why = "the agent would have to ask a person, and cannot from here";
                        Err(ToolError::new(why))
                    } else {
                        Ok(ToolOutput::Text(outcome.output_text()))
                    };
                }
                Ok(event @ (RunEvent::Text { .. } | RunEvent::CallReady { .. })) => {
                    context.progress(event).await;
                }
                Ok(RunEvent::Usage { total }) => bill.known = *total,
                Ok(_) => {}
                Err(error) => {
                    bill.known = error.outcome().usage.clone();
                    return Err(ToolError::new(error));
                }
            }
        }
        Err(ToolError::new("the agent ended without a word"))
    }
}

/// What an agent has spent as a tool. It is paid however the call ends, by being dropped as well.
struct Bill<'a> {
    of: &'a ToolContext,
    known: Usage,
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        self.of.spent(&self.known);
    }
}

/// The tool by which a model hands the conversation to another agent.
#[derive(Clone, Debug)]
pub(crate) struct HandoffTool {
    to: String,
    description: String,
}

impl HandoffTool {
    pub(crate) fn new(to: &Agent, description: String) -> Self {
        Self { to: to.name().to_owned(), description }
    }
}

#[async_trait]
impl Tool for HandoffTool {
    fn declaration(&self) -> Function {
        let schema = json!({"type": "object", "properties": {}});
        Function::new(format!("{TRANSFER}{}", self.to))
            .description(&self.description)
            .parameters(schema)
    }

    async fn call(&self, _: ToolContext, _: JsonObject) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::Text(format!("{} goes on from here.", self.to)))
    }
}

/// Whom a call of this tool hands the conversation to.
pub(crate) fn target(tool: &dyn Tool, name: &str) -> Option<String> {
    let to = name.strip_prefix(TRANSFER)?;
    // Somebody else's tool may be called like that, too.
    format!("{tool:?}").starts_with("HandoffTool").then(|| to.to_owned())
}
