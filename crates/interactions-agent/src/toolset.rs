//! Sets of tools, looked at before every turn.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use interactions_types::{Function, JsonObject, ToolOutput};

use crate::{RunState, Tool, ToolContext, ToolError, ToolRules};

/// Tools that may differ from turn to turn.
#[async_trait]
pub trait Toolset: fmt::Debug + Send + Sync + 'static {
    /// The tools for the next turn of this run.
    ///
    /// # Errors
    /// When they cannot be had; the run ends with that.
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError>;
}

#[async_trait]
impl Toolset for Vec<Arc<dyn Tool>> {
    async fn tools(&self, _: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        Ok(self.clone())
    }
}

#[async_trait]
impl<S: Toolset + ?Sized> Toolset for Arc<S> {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        (**self).tools(run).await
    }
}

/// Sets made from sets.
///
/// ```
/// use std::sync::Arc;
/// use interactions_agent::{Tool, Toolset, ToolsetExt, tool_fn};
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Nothing {}
/// let ping = tool_fn("ping", "Answers.", |_: Nothing| async { Ok::<_, String>("pong") });
/// let net: Vec<Arc<dyn Tool>> = vec![Arc::new(ping)];
/// // Offered as `net_ping`, from the second turn on.
/// let later = net.prefixed("net_").when(|run| run.turns() > 0);
/// # let _: &dyn Toolset = &later;
/// ```
pub trait ToolsetExt: Toolset + Sized {
    /// Those that `keep` wants.
    fn filtered(
        self,
        keep: impl Fn(&Function) -> bool + Send + Sync + 'static,
    ) -> ChangedToolset<Self> {
        self.changed(move |tool| keep(&tool.declaration()).then_some(tool))
    }

    /// With something in front of their names, so that sets do not collide.
    fn prefixed(self, prefix: impl Into<String>) -> ChangedToolset<Self> {
        let prefix = prefix.into();
        self.renamed(move |name| format!("{prefix}{name}"))
    }

    /// Under other names.
    fn renamed(
        self,
        rename: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> ChangedToolset<Self> {
        self.changed(move |tool| {
            let name = rename(&tool.declaration().name);
            Some(Arc::new(Renamed { tool, name }))
        })
    }

    /// Each tool changed or left out.
    fn changed(
        self,
        change: impl Fn(Arc<dyn Tool>) -> Option<Arc<dyn Tool>> + Send + Sync + 'static,
    ) -> ChangedToolset<Self> {
        ChangedToolset { inner: self, change: Box::new(change) }
    }

    /// Only while `wanted` says so.
    fn when(self, wanted: impl Fn(&RunState) -> bool + Send + Sync + 'static) -> ToolsetWhen<Self> {
        ToolsetWhen { inner: self, wanted: Box::new(wanted) }
    }

    /// Both.
    fn and<S: Toolset>(self, other: S) -> BothToolsets<Self, S> {
        BothToolsets(self, other)
    }
}

impl<S: Toolset> ToolsetExt for S {}

type Change = Box<dyn Fn(Arc<dyn Tool>) -> Option<Arc<dyn Tool>> + Send + Sync>;

/// A set with every tool changed or left out; made by [`ToolsetExt`].
pub struct ChangedToolset<S> {
    inner: S,
    change: Change,
}

impl<S: fmt::Debug> fmt::Debug for ChangedToolset<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChangedToolset").field(&self.inner).finish()
    }
}

#[async_trait]
impl<S: Toolset> Toolset for ChangedToolset<S> {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        Ok(self.inner.tools(run).await?.into_iter().filter_map(&self.change).collect())
    }
}

/// A set that is there at times; made by [`ToolsetExt::when`].
pub struct ToolsetWhen<S> {
    inner: S,
    wanted: Box<dyn Fn(&RunState) -> bool + Send + Sync>,
}

impl<S: fmt::Debug> fmt::Debug for ToolsetWhen<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToolsetWhen").field(&self.inner).finish()
    }
}

#[async_trait]
impl<S: Toolset> Toolset for ToolsetWhen<S> {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        if (self.wanted)(run) { self.inner.tools(run).await } else { Ok(Vec::new()) }
    }
}

/// Two sets as one; made by [`ToolsetExt::and`].
#[derive(Clone, Debug)]
pub struct BothToolsets<A, B>(A, B);

#[async_trait]
impl<A: Toolset, B: Toolset> Toolset for BothToolsets<A, B> {
    async fn tools(&self, run: &RunState) -> Result<Vec<Arc<dyn Tool>>, ToolError> {
        let (mut tools, more) = futures::try_join!(self.0.tools(run), self.1.tools(run))?;
        tools.extend(more);
        Ok(tools)
    }
}

#[derive(Debug)]
struct Renamed {
    tool: Arc<dyn Tool>,
    name: String,
}

#[async_trait]
impl Tool for Renamed {
    fn declaration(&self) -> Function {
        let mut declaration = self.tool.declaration();
        declaration.name.clone_from(&self.name);
        declaration
    }

    fn rules(&self) -> ToolRules {
        self.tool.rules()
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        self.tool.call(context, arguments).await
    }
}
