//! What an MCP server offers.

use interactions_types::{Function, JsonObject};
use serde_json::Value;

/// A tool of an MCP server.
///
/// The hints are the server's own word; a server that is not trusted can lie.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct McpTool {
    /// The name it is called by.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it does and when to use it.
    pub description: Option<String>,
    /// Its arguments, a JSON Schema (`inputSchema`).
    pub input_schema: JsonObject,
    /// Its structured result, a JSON Schema (`outputSchema`).
    pub output_schema: Option<JsonObject>,
    /// Whether it changes nothing (`readOnlyHint`). False if not said.
    pub read_only: bool,
    /// Whether repeating a call changes nothing more (`idempotentHint`). False if not said.
    pub idempotent: bool,
    /// Whether it may destroy something (`destructiveHint`). If not said, true unless read-only.
    pub destructive: bool,
}

impl McpTool {
    /// Whether a call whose outcome is unknown may be repeated: read-only or idempotent.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.read_only || self.idempotent
    }

    /// The tool as a function declaration for a model.
    #[must_use]
    pub fn declaration(&self) -> Function {
        let function = Function::new(&self.name).parameters(self.input_schema.clone());
        match self.description.as_ref().or(self.title.as_ref()) {
            Some(description) => function.description(description),
            None => function,
        }
    }

    /// Reads one entry of a tool list; `None` when it has no name or no schema.
    pub(crate) fn read(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let hints = &entry["annotations"];
        let hint = |key: &str| hints[key].as_bool();
        let read_only = hint("readOnlyHint").unwrap_or(false);
        Some(Self {
            name: text("name").filter(|name| !name.is_empty())?,
            title: text("title").or_else(|| hints["title"].as_str().map(str::to_owned)),
            description: text("description"),
            input_schema: entry["inputSchema"].as_object()?.clone(),
            output_schema: entry["outputSchema"].as_object().cloned(),
            read_only,
            idempotent: hint("idempotentHint").unwrap_or(false),
            destructive: hint("destructiveHint").unwrap_or(!read_only),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_hints_with_the_protocols_defaults() {
        let tool = |annotations: Value| {
            McpTool::read(&json!({
                "name": "t", "inputSchema": {"type": "object"}, "annotations": annotations,
            }))
            .unwrap()
        };
        let unsaid = tool(Value::Null);
        assert!(!unsaid.read_only && !unsaid.idempotent && unsaid.destructive);
        assert!(!unsaid.is_repeatable());
        let reader = tool(json!({"readOnlyHint": true, "title": "Look"}));
        assert!(reader.is_repeatable() && !reader.destructive);
        assert_eq!(reader.title.as_deref(), Some("Look"));
        assert!(tool(json!({"idempotentHint": true})).is_repeatable());
        assert_eq!(McpTool::read(&json!({"name": "no schema"})), None);
        assert_eq!(McpTool::read(&json!({"inputSchema": {}})), None);
    }

    #[test]
    fn becomes_a_function_declaration() {
        let tool = McpTool::read(&json!({
            "name": "add", "description": "Adds.", "inputSchema": {"type": "object"},
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_value(interactions_types::Tool::from(tool.declaration())).unwrap(),
            json!({
                "type": "function", "name": "add", "description": "Adds.",
                "parameters": {"type": "object"},
            })
        );
    }
}
