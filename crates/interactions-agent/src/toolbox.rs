//! The tools of an agent, and running one of them safely.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use interactions_types::{
    Content, Function, FunctionCall, InteractionId, ToolOutput, decode_value,
};
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
        let context = ToolContext::new(call.id.clone(), interaction.clone());
        // A tool may panic before it has made its future, too.
        let work = async { tool.call(context, call.arguments.clone()).await };
        let work = AssertUnwindSafe(work).catch_unwind();
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

/// A list of parts of content. Other lists are data, whatever their items call their `type`.
fn contents(value: &Value) -> Option<Vec<Content>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    let is_content = |item: &Value| {
        let kind = item.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| Content::KNOWN.contains(&kind))
    };
    let contents = items.iter().all(is_content).then(|| decode_value(value))?;
    contents.ok()
}

/// The output and whether it is an error, as they go back to the model.
pub(crate) fn answer(result: Result<ToolOutput, ToolError>) -> (ToolOutput, bool) {
    match result {
        // An empty text would look like a missing answer.
        Ok(ToolOutput::Other(Value::Null)) => (ToolOutput::from("done"), false),
        // Numbers, booleans and lists have no form of their own on the wire.
        Ok(ToolOutput::Other(value)) => match contents(&value) {
            Some(contents) => (ToolOutput::Contents(contents), false),
            None => (ToolOutput::Text(value.to_string()), false),
        },
        Ok(output) => (output, false),
        Err(error) => (ToolOutput::Text(error.to_string()), true),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_content_only_if_every_part_is() {
        let output = |value: Value| answer(Ok(ToolOutput::Other(value))).0;
        let parts = json!([{"type": "text", "text": "a"}, {"type": "image", "uri": "u"}]);
        assert!(matches!(output(parts), ToolOutput::Contents(parts) if parts.len() == 2));
        for data in [
            json!([{"type": "labrador", "name": "Rex"}]),
            json!([{"type": "text", "text": "a"}, {"type": "labrador"}]),
            json!([1, 2]),
            json!([]),
            json!(7),
        ] {
            assert_eq!(output(data.clone()), ToolOutput::Text(data.to_string()));
        }
    }
}
