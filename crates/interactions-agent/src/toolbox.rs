//! The tools of an agent, and running one of them safely.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use interactions_types::{Function, FunctionCall, InteractionId, ToolOutput};
use serde_json::Value;

use crate::{Tool, ToolContext, ToolError};

/// Tools by their names, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Toolbox {
    names: Vec<String>,
    tools: HashMap<String, Arc<dyn Tool>>,
}

impl Toolbox {
    pub(crate) fn add(&mut self, tool: Arc<dyn Tool>) {
        let name = tool.declaration().name;
        if self.tools.insert(name.clone(), tool).is_none() {
            self.names.push(name);
        }
    }

    pub(crate) fn declarations(&self) -> Vec<Function> {
        self.names
            .iter()
            .filter_map(|name| self.tools.get(name))
            .map(|tool| tool.declaration())
            .collect()
    }

    /// Runs the tool that a call names. Whatever goes wrong becomes an error in words for the model.
    pub(crate) async fn call(
        &self,
        call: &FunctionCall,
        interaction: &InteractionId,
        limit: Duration,
    ) -> Result<ToolOutput, ToolError> {
        // The service sometimes qualifies the names of declared functions.
        let name = call.name.strip_prefix("default_api:").unwrap_or(&call.name);
        let Some(tool) = self.tools.get(name) else {
            let known = self.names.join(", ");
            return Err(ToolError::new(format!(
                "there is no tool `{}`; there are: {known}",
                call.name
            )));
        };
        let context = ToolContext { call_id: call.id.clone(), interaction_id: interaction.clone() };
        let work = AssertUnwindSafe(tool.call(context, call.arguments.clone())).catch_unwind();
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let words =
                    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                tracing::error!(tool = name, panic = words, "a tool panicked");
                Err(ToolError::new(format!("the tool `{name}` crashed")))
            }
            Err(_) => Err(ToolError::new(format!("the tool `{name}` took longer than {limit:?}"))),
        }
    }
}

/// The output and whether it is an error, as they go back to the model.
pub(crate) fn answer(result: Result<ToolOutput, ToolError>) -> (ToolOutput, bool) {
    match result {
        // An empty text would look like a missing answer.
        Ok(ToolOutput::Other(Value::Null)) => (ToolOutput::from("done"), false),
        // Numbers, booleans and lists have no form of their own on the wire.
        Ok(ToolOutput::Other(value)) => match serde_json::from_value(value.clone()) {
            Ok(contents) if matches!(&value, Value::Array(items) if !items.is_empty()) => {
                (ToolOutput::Contents(contents), false)
            }
            _ => (ToolOutput::Text(value.to_string()), false),
        },
        Ok(output) => (output, false),
        Err(error) => (ToolOutput::Text(error.to_string()), true),
    }
}
