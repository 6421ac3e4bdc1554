//! Models: a turn goes in, step events come out.

mod hosted;
mod openai;
mod registry;
mod scripted;
mod upstream;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use interactions_types::{
    AgentConfig, Delta, GenerationConfig, JsonObject, ResponseFormat, SafetySetting, ServiceTier,
    Step, Tool, ToolChoiceMode, Usage, decode_value,
};
use serde_json::Value;

pub(crate) use hosted::Hosted;
pub use openai::OpenAi;
pub(crate) use registry::Registry;
pub use scripted::Scripted;
pub use upstream::Upstream;

/// Something that answers turns.
///
/// A model knows nothing of storage, ids, tools that are run or other turns:
/// it gets everything it should know and streams what it generates.
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// Begins to generate the answer to a turn.
    ///
    /// # Errors
    /// [`ModelError`] when the model cannot be reached or refuses; the stream may fail later too.
    ///
    /// # Cancellation
    /// Dropping the future or the stream stops the generation.
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError>;

    /// Whether the model itself can use this tool; functions and MCP tools are the engine's matter.
    fn runs_tool(&self, tool: &Tool) -> bool {
        let _ = tool;
        false
    }

    /// Whether it can put out this kind of content: `text`, `image`, `audio` or `video`.
    ///
    /// A request that wants another kind is refused before it runs.
    fn makes(&self, kind: &str) -> bool {
        kind == "text"
    }

    /// Whether its own server holds answers to the JSON Schema of the request.
    ///
    /// If not, the engine checks them: it shows an answer when it is whole and fits.
    fn checks_output(&self) -> bool {
        false
    }

    /// Whether the function calls in its answers are its own affair: it carries them out itself,
    /// and their results follow as steps. Nobody else is asked to.
    fn carries_out_calls(&self) -> bool {
        false
    }

    /// Whether it answers for agents too, under ids that this server does not know.
    fn runs_agents(&self) -> bool {
        false
    }

    /// Lets go of a generation that had said where it can be [taken up again](ModelEvent::Attached):
    /// it is over, or `cancelled`. Nobody will ask for it again.
    async fn let_go(&self, attachment: &str, cancelled: bool) {
        let _ = (attachment, cancelled);
    }

    /// Whether it takes images, sound and documents by address, and reads them itself.
    ///
    /// Where it does not, the server fetches them through its egress guard and hands over the bytes.
    fn reads_addresses(&self) -> bool {
        true
    }

    /// What to call it before people.
    fn label(&self) -> String;
}

/// What a model generates, piece by piece.
pub type ModelStream = BoxStream<'static, Result<ModelEvent, ModelError>>;

/// Everything a model gets to know.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Turn {
    /// The model's id as its own server knows it.
    pub model: String,
    /// What it should keep to.
    pub system: Option<String>,
    /// The functions it may call.
    pub functions: Vec<FunctionSpec>,
    /// Tools that it uses on its own (see [`Model::runs_tool`]).
    pub native_tools: Vec<Tool>,
    /// How it may choose among them.
    pub tool_choice: Option<ToolChoiceMode>,
    /// The conversation so far, oldest first, the new input last.
    ///
    /// Calls of MCP tools stand here as function calls and results, since the model sees functions.
    pub steps: Vec<Step>,
    /// How it should generate.
    pub generation: GenerationConfig,
    /// What the output should be, in the wire's form.
    pub response_format: Option<Value>,
    /// Thresholds of safety filters, for models that have some.
    pub safety_settings: Option<Vec<SafetySetting>>,
    /// Speed and price, for models that offer a choice.
    pub service_tier: Option<ServiceTier>,
    /// Set when an agent is asked, and not the model: its id is in `model`.
    pub agent: Option<AgentTask>,
    /// The labels of the request.
    pub labels: BTreeMap<String, String>,
    /// Whether the caller has asked for work in the background, which outlives this process.
    pub background: bool,
    /// Where an earlier process has left this generation, in the words of
    /// [`ModelEvent::Attached`]. What it had passed on by then is not to be repeated.
    pub attachment: Option<String>,
}

/// What an agent is told beside its input.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AgentTask {
    /// Its settings, in the wire's form.
    pub config: Option<AgentConfig>,
}

impl Turn {
    /// The JSON Schema that the output should fit, if [`response_format`](Self::response_format) has one.
    #[must_use]
    pub fn schema(&self) -> Option<Value> {
        let formats = match self.response_format.as_ref()? {
            Value::Array(formats) => formats.as_slice(),
            one => std::slice::from_ref(one),
        };
        for format in formats {
            match decode_value(format) {
                Ok(ResponseFormat::Text(text)) => return text.schema,
                Ok(ResponseFormat::Schema(schema)) => return Some(schema.into()),
                _ => {}
            }
        }
        None
    }
}

/// A function as a model sees it, whoever runs it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FunctionSpec {
    /// The name to call it by, unique in the turn.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// Its arguments, a JSON Schema.
    pub parameters: JsonObject,
}

/// One piece of a generation.
///
/// Steps do not overlap: `Start`, any number of `Delta`s, `Stop`.
/// A model starts `thought`, `model_output` and `function_call` steps, and steps of its own tools.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// A step begins.
    Start(Step),
    /// The step grows.
    Delta(Delta),
    /// The step ends.
    Stop,
    /// What the turn cost so far, as a running total.
    Usage(Usage),
    /// Where another process can take this generation up, behind the events before this one.
    /// It must follow them at once; what it says is for the same model only.
    Attached(String),
    /// The generation is over. Nothing follows but a late `Usage`.
    Finish(Finish),
}

/// Why a generation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// The model has said what it had to say.
    Stop,
    /// The limit of output tokens was reached.
    MaxTokens,
    /// An agent that carries out its calls itself has left some to the caller, and goes on with
    /// their results.
    RequiresAction,
}

/// Why a model failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelError {
    /// The service's word for it, for example `api_error` or `content_blocked`.
    pub code: String,
    /// What happened, for the caller: no keys, no internal addresses.
    pub message: String,
    /// Set when the same turn may succeed later.
    pub transient: Option<Transient>,
}

/// Failures that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transient {
    /// The model's server is away or overloaded.
    Unavailable,
    /// The model's server asks for patience, perhaps for this long.
    RateLimited(Option<Duration>),
    /// The model's server took too long.
    Timeout,
}

impl ModelError {
    /// A failure that would repeat itself.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), transient: None }
    }

    /// A failure that may pass.
    pub fn transient(kind: Transient, message: impl Into<String>) -> Self {
        let code = match kind {
            Transient::Unavailable => "service_unavailable",
            Transient::RateLimited(_) => "rate_limit_exceeded",
            Transient::Timeout => "deadline_exceeded",
        };
        Self { code: code.to_owned(), message: message.into(), transient: Some(kind) }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ModelError {}
