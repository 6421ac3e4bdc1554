//! Agents that work together: as tools of each other, or one after the other.

use async_trait::async_trait;
use futures::StreamExt;
use interactions_types::{Function, JsonObject, ToolOutput};
use serde_json::{Value, json};

use crate::{Agent, RunEvent, Tool, ToolContext, ToolError};

const TRANSFER: &str = "transfer_to_";

impl Agent {
    /// This agent as a tool of another one: it is given a task in words and returns its answer.
    ///
    /// It runs by itself, without the other's conversation. What it says on the way is the tool's
    /// progress, what it costs counts to the other's run.
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

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        let Some(task) = arguments.get("task").and_then(Value::as_str) else {
            return Err(ToolError::retry("the arguments do not fit at `task`: a text is wanted"));
        };
        let mut run = self.agent.stream(task);
        while let Some(event) = run.next().await {
            match event {
                Ok(RunEvent::Finished(outcome)) => {
                    context.spent(&outcome.usage);
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
                Ok(_) => {}
                Err(error) => {
                    context.spent(&error.outcome().usage);
                    return Err(ToolError::new(error));
                }
            }
        }
        Err(ToolError::new("the agent ended without a word"))
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
