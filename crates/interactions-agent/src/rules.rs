//! How tools may be run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interactions_types::{Function, JsonObject, ToolOutput};

use crate::{Tool, ToolContext, ToolError};

/// How a tool may be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ToolRules {
    /// Whether nothing else may run beside it. Calls before it end first, calls after it wait.
    pub alone: bool,
    /// How long it may run; default: what the agent says.
    pub timeout: Option<Duration>,
    /// How often in a run it may ask the model to call again, by [`ToolError::retry`] or because
    /// arguments do not fit; default 3.
    pub max_retries: u32,
    /// Whether a person has to approve.
    pub approval: Approval,
    /// Whether somebody else carries it out: the run pauses until they bring the result.
    pub external: bool,
    /// Whether a call of which nobody knows if it ran may simply be made again.
    pub repeatable: bool,
}

impl Default for ToolRules {
    fn default() -> Self {
        Self {
            alone: false,
            timeout: None,
            max_retries: 3,
            approval: Approval::Never,
            external: false,
            repeatable: false,
        }
    }
}

/// When a person has to approve a call.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Approval {
    /// It runs at once.
    #[default]
    Never,
    /// Every call waits.
    Always,
    /// Calls with such arguments wait.
    When(Arc<dyn Fn(&JsonObject) -> bool + Send + Sync>),
}

impl Approval {
    pub(crate) fn is_needed(&self, arguments: &JsonObject) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::When(predicate) => predicate(arguments),
        }
    }
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::When(_) => "When(..)",
        })
    }
}

/// Other rules for a tool.
///
/// ```
/// use std::time::Duration;
/// use interactions_agent::{Tool, ToolExt, tool_fn};
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Order { euros: f64 }
/// let order = tool_fn("order", "Orders something.", |order: Order| async move {
///     Ok::<_, String>(format!("ordered for {} €", order.euros))
/// })
/// .alone()
/// .timeout(Duration::from_secs(5))
/// .needs_approval_when(|arguments| {
///     arguments.get("euros").and_then(|euros| euros.as_f64()).is_none_or(|euros| euros > 50.0)
/// });
/// assert!(order.rules().alone);
/// ```
pub trait ToolExt: Tool + Sized {
    /// Nothing else runs beside it.
    fn alone(self) -> Ruled<Self> {
        self.ruled(|rules| rules.alone = true)
    }

    /// It may run this long.
    fn timeout(self, limit: Duration) -> Ruled<Self> {
        self.ruled(|rules| rules.timeout = Some(limit))
    }

    /// It may ask the model to call again this often in a run.
    fn max_retries(self, times: u32) -> Ruled<Self> {
        self.ruled(|rules| rules.max_retries = times)
    }

    /// A person approves every call.
    fn needs_approval(self) -> Ruled<Self> {
        self.ruled(|rules| rules.approval = Approval::Always)
    }

    /// A person approves calls with such arguments.
    fn needs_approval_when(
        self,
        predicate: impl Fn(&JsonObject) -> bool + Send + Sync + 'static,
    ) -> Ruled<Self> {
        self.ruled(|rules| rules.approval = Approval::When(Arc::new(predicate)))
    }

    /// Calls may be made again when nobody knows whether they ran.
    fn repeatable(self) -> Ruled<Self> {
        self.ruled(|rules| rules.repeatable = true)
    }

    /// Other rules, made from those that it has.
    fn ruled(self, change: impl FnOnce(&mut ToolRules)) -> Ruled<Self> {
        let mut rules = self.rules();
        change(&mut rules);
        Ruled { tool: self, rules }
    }
}

impl<T: Tool> ToolExt for T {}

/// A tool with other rules; made by [`ToolExt`].
#[derive(Clone, Debug)]
pub struct Ruled<T> {
    tool: T,
    rules: ToolRules,
}

#[async_trait]
impl<T: Tool> Tool for Ruled<T> {
    fn declaration(&self) -> Function {
        self.tool.declaration()
    }

    fn rules(&self) -> ToolRules {
        self.rules.clone()
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        self.tool.call(context, arguments).await
    }
}

/// A tool that somebody else carries out: the run pauses until they bring the result.
#[derive(Clone, Debug)]
pub struct ExternalTool(Function);

impl ExternalTool {
    /// What the model is told of it.
    #[must_use]
    pub fn new(declaration: Function) -> Self {
        Self(declaration)
    }
}

#[async_trait]
impl Tool for ExternalTool {
    fn declaration(&self) -> Function {
        self.0.clone()
    }

    fn rules(&self) -> ToolRules {
        ToolRules { external: true, ..ToolRules::default() }
    }

    async fn call(&self, _: ToolContext, _: JsonObject) -> Result<ToolOutput, ToolError> {
        Err(ToolError::new(format!("`{}` is carried out elsewhere", self.0.name)))
    }
}
