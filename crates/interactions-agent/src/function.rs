//! Functions with typed arguments as tools.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use interactions_types::{Function, JsonObject, ToolOutput};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Tool, ToolContext, ToolError};

/// An async function as a [`Tool`]; made by [`tool_fn`].
pub struct FunctionTool<A, F> {
    declaration: Function,
    run: F,
    arguments: PhantomData<fn(A)>,
}

impl<A, F> fmt::Debug for FunctionTool<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FunctionTool").field(&self.declaration.name).finish()
    }
}

/// An async function that also takes the [`ToolContext`], as a [`Tool`]; made by [`tool_fn_with`].
pub struct ContextTool<A, F> {
    declaration: Function,
    run: F,
    arguments: PhantomData<fn(A)>,
}

impl<A, F> fmt::Debug for ContextTool<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContextTool").field(&self.declaration.name).finish()
    }
}

/// Makes a tool of an async function.
///
/// The type of its argument gives the JSON Schema: doc comments become descriptions,
/// `Option` fields are optional, enums become choices. The result is anything that serialises.
/// Arguments that do not fit are refused with their path, and the model may correct itself.
///
/// ```
/// use interactions_agent::{Tool, tool_fn};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Sum {
///     /// The numbers to add.
///     numbers: Vec<f64>,
/// }
///
/// let sum = tool_fn("sum", "Adds numbers.", |sum: Sum| async move {
///     if sum.numbers.is_empty() { Err("there is nothing to add") } else { Ok(sum.numbers.iter().sum::<f64>()) }
/// });
/// let schema = sum.declaration().parameters.unwrap();
/// assert_eq!(schema["properties"]["numbers"]["description"], "The numbers to add.");
/// assert_eq!(schema["required"][0], "numbers");
/// ```
pub fn tool_fn<A, F, Fut, R, E>(
    name: impl Into<String>,
    description: impl Into<String>,
    run: F,
) -> FunctionTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Serialize,
    E: fmt::Display + 'static,
{
    let declaration = Function::new(name).description(description).parameters(schema::<A>());
    FunctionTool { declaration, run, arguments: PhantomData }
}

/// As [`tool_fn`], with the [`ToolContext`] in front: the call's id, what the agent was given,
/// progress, what a person has answered.
///
/// ```
/// use interactions_agent::{Tool, ToolContext, ToolError, tool_fn_with};
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// struct User { name: String }
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Nothing {}
///
/// let whoami = tool_fn_with("whoami", "Who asks.", |context: ToolContext, _: Nothing| async move {
///     let user = context.dependency::<User>()?;
///     Ok::<_, ToolError>(user.name.clone())
/// });
/// # let rt = tokio::runtime::Builder::new_current_thread().build()?;
/// # rt.block_on(async {
/// let context = ToolContext::new("c1", "v1_x").with_dependency(User { name: "Ada".into() });
/// assert_eq!(whoami.call(context, Default::default()).await?.to_text(), "Ada");
/// # Ok::<(), ToolError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tool_fn_with<A, F, Fut, R, E>(
    name: impl Into<String>,
    description: impl Into<String>,
    run: F,
) -> ContextTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(ToolContext, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Serialize,
    E: fmt::Display + 'static,
{
    let declaration = Function::new(name).description(description).parameters(schema::<A>());
    ContextTool { declaration, run, arguments: PhantomData }
}

#[async_trait]
impl<A, F, Fut, R, E> Tool for FunctionTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Serialize,
    E: fmt::Display + 'static,
{
    fn declaration(&self) -> Function {
        self.declaration.clone()
    }

    async fn call(&self, _: ToolContext, arguments: JsonObject) -> Result<ToolOutput, ToolError> {
        let arguments = read(arguments)?;
        // Turned into a value before the next await, so that neither type has to be `Send`.
        written((self.run)(arguments).await)
    }
}

#[async_trait]
impl<A, F, Fut, R, E> Tool for ContextTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(ToolContext, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Serialize,
    E: fmt::Display + 'static,
{
    fn declaration(&self) -> Function {
        self.declaration.clone()
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        let arguments = read(arguments)?;
        written((self.run)(context, arguments).await)
    }
}

/// The arguments as their type; what does not fit is named with its path.
fn read<A: DeserializeOwned>(arguments: JsonObject) -> Result<A, ToolError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        ToolError::retry(format!("the arguments do not fit{place}: {}", error.inner()))
    })
}

/// The result as it goes to the model.
fn written<R: Serialize, E: fmt::Display + 'static>(
    result: Result<R, E>,
) -> Result<ToolOutput, ToolError> {
    match result {
        Ok(result) => serde_json::to_value(result).map(ToolOutput::from).map_err(ToolError::new),
        // What it means to say to the run is more than its words.
        Err(error) => Err(match (&error as &dyn Any).downcast_ref::<ToolError>() {
            Some(error) => error.clone(),
            None => ToolError::new(error),
        }),
    }
}

/// The schema of a type as the service takes it.
pub(crate) fn schema<A: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        // References are not understood everywhere.
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>().to_value();
    tidy(&mut schema);
    if let Value::Object(object) = &mut schema {
        // A function takes an object, even if it is an empty one.
        object.insert("type".to_owned(), "object".into());
        object.entry("properties").or_insert_with(|| JsonObject::new().into());
    }
    schema
}

/// Leaves out what says nothing to a model, and what the service refuses.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                object.remove("required");
            }
            if object.get("title").is_some_and(Value::is_string) && object.contains_key("type") {
                object.remove("title");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "the schema shows fields that no function here reads")]
    struct Search {
        /// What to look for.
        query: String,
        limit: Option<u32>,
        order: Option<Order>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Newest,
        Best,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    fn context() -> ToolContext {
        ToolContext::new("c", "i")
    }

    #[test]
    fn schemas_are_whole_and_plain() {
        let schema = schema::<Search>();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["required"], json!(["query"]));
        assert_eq!(
            schema["properties"]["query"],
            json!({"type": "string", "description": "What to look for."})
        );
        let text = schema.to_string();
        assert!(
            !text.contains("$ref") && !text.contains("$schema") && !text.contains("\"title\""),
            "{text}"
        );
        assert!(text.contains("newest"), "{text}");
        assert_eq!(super::schema::<Nothing>(), json!({"type": "object", "properties": {}}));
    }

    #[tokio::test]
    async fn arguments_that_do_not_fit_are_refused_with_their_path() {
        let tool =
            tool_fn("search", "", |search: Search| async move { Ok::<_, String>(search.query) });
        let arguments = json!({"query": "x", "limit": "many"});
        let error =
            tool.call(context(), arguments.as_object().cloned().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("`limit`"), "{error}");
        let error = tool.call(context(), JsonObject::new()).await.unwrap_err();
        assert!(error.to_string().contains("query"), "{error}");
    }

    #[tokio::test]
    async fn results_are_whatever_serialises() {
        let object = tool_fn("t", "", |_: Nothing| async { Ok::<_, String>(json!({"a": 1})) });
        let output = object.call(context(), JsonObject::new()).await.unwrap();
        assert!(matches!(output, ToolOutput::Object(_)));
        let number = tool_fn("t", "", |_: Nothing| async { Ok::<_, String>(7) });
        assert_eq!(number.call(context(), JsonObject::new()).await.unwrap().to_text(), "7");
        let failing = tool_fn("t", "", |_: Nothing| async { Err::<(), _>("no") });
        assert_eq!(failing.call(context(), JsonObject::new()).await, Err(ToolError::new("no")));
    }
}
