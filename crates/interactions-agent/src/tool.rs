//! Tools: what they say of themselves, and what they do.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::SinkExt;
use interactions_types::{CallId, Function, InteractionId, JsonObject, ToolOutput, Usage};
use serde::Serialize;
use serde_json::Value;

use crate::event::{EventSender, RunEvent};
use crate::state::Answered;
use crate::{Hooks, ToolRules};

/// Something that the model can call and that runs here.
///
/// For a function with typed arguments, [`tool_fn`](crate::tool_fn) is shorter.
///
/// All tools of a run share its task: what computes for long or blocks belongs into
/// `tokio::task::spawn_blocking`, or it holds up the others and its own time limit.
#[async_trait]
pub trait Tool: fmt::Debug + Send + Sync + 'static {
    /// What the model is told: name, purpose, arguments.
    fn declaration(&self) -> Function;

    /// How it may be run: alone, for how long, with whose approval. [`ToolExt`](crate::ToolExt)
    /// changes the rules of a tool that is there.
    fn rules(&self) -> ToolRules {
        ToolRules::default()
    }

    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in words for the model, which may try again or explain.
    ///
    /// # Cancellation
    /// The future is dropped when the run is dropped or the tool's time is over.
    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError>;
}

#[async_trait]
impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn declaration(&self) -> Function {
        (**self).declaration()
    }

    fn rules(&self) -> ToolRules {
        (**self).rules()
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        (**self).call(context, arguments).await
    }
}

/// What a tool knows about the call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ToolContext {
    /// The call. It stays the same if the run is resumed, so it can serve as an idempotency key.
    pub call_id: CallId,
    /// The interaction that asked for it; empty when it is not stored.
    pub interaction_id: InteractionId,
    /// How often this tool has failed in this run in a way that the model was to mend.
    pub attempt: u32,
    /// What a person answered to [`ToolError::input`].
    pub answer: Option<Value>,
    pub(crate) answers: Vec<Answered>,
    pub(crate) dependencies: Dependencies,
    pub(crate) report: Option<Report>,
}

impl ToolContext {
    /// The context of a call, for calling a tool by hand, in a test for example.
    #[must_use]
    pub fn new(call_id: impl Into<CallId>, interaction_id: impl Into<InteractionId>) -> Self {
        Self {
            call_id: call_id.into(),
            interaction_id: interaction_id.into(),
            attempt: 0,
            answer: None,
            answers: Vec::new(),
            dependencies: Dependencies::default(),
            report: None,
        }
    }

    /// Gives it something of a type of its own to look up.
    #[must_use]
    pub fn with_dependency<T: Send + Sync + 'static>(mut self, dependency: T) -> Self {
        self.dependencies.insert(dependency);
        self
    }

    /// What the agent was given of this type, a connection or a user for example.
    ///
    /// # Errors
    /// When the agent has none, which is a mistake of whoever built it.
    pub fn dependency<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, ToolError> {
        self.dependencies
            .find()
            .ok_or_else(|| ToolError::new(format!("the agent has no {}", type_name::<T>())))
    }

    /// The question that [`answer`](Self::answer) answers: the message and the schema of
    /// [`ToolError::input`], as the tool gave them. They survive with the run, so a schema can carry
    /// what the tool needs to go on.
    #[must_use]
    pub fn question(&self) -> Option<(&str, Option<&Value>)> {
        let last = self.answers.last()?;
        Some((&last.message, last.schema.as_ref()))
    }

    /// Tells whoever reads the run how far it is; waits if they are behind.
    pub async fn progress(&self, what: impl Serialize) {
        let (Some(report), Ok(what)) = (&self.report, serde_json::to_value(what)) else {
            return;
        };
        let event = RunEvent::ToolProgress {
            id: self.call_id.clone(),
            name: report.name.clone(),
            progress: what,
        };
        report.hooks.iter().for_each(|hooks| hooks.on_event(&event));
        // Whoever does not read any more need not be told.
        let _ = report.events.clone().send(Ok(event)).await;
    }

    /// Counts what it has spent at a model itself to the run.
    pub fn spent(&self, usage: &Usage) {
        if let Some(report) = &self.report {
            *report.spent.lock().unwrap_or_else(PoisonError::into_inner) += usage;
        }
    }
}

/// Where a tool's progress goes.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) events: EventSender,
    pub(crate) hooks: Vec<Arc<dyn Hooks>>,
    pub(crate) spent: Arc<Mutex<Usage>>,
}

/// The labels of the interaction that an agent works for: a [dependency](ToolContext::dependency)
/// that servers give to the agents that they host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerLabels(pub BTreeMap<String, String>);

impl CallerLabels {
    /// These labels.
    #[must_use]
    pub fn new(labels: BTreeMap<String, String>) -> Self {
        Self(labels)
    }
}

/// One value per type.
#[derive(Clone, Default)]
pub(crate) struct Dependencies(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Dependencies {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, dependency: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(dependency));
    }

    /// These, and those of others where there are none of a type.
    pub(crate) fn or(&self, others: &Self) -> Self {
        let mut all = others.0.clone();
        all.extend(self.0.iter().map(|(kind, value)| (*kind, Arc::clone(value))));
        Self(all)
    }

    fn find<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let found = Arc::clone(self.0.get(&TypeId::of::<T>())?);
        found.downcast().ok()
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dependencies({})", self.0.len())
    }
}

/// Why a tool failed, in words for the model, or what it needs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError {
    message: String,
    kind: ToolErrorKind,
}

/// What follows from a tool's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolErrorKind {
    Failed,
    Retry,
    Input { schema: Option<Value> },
}

impl ToolError {
    /// A failure with its explanation; the model sees it as the tool's result.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), kind: ToolErrorKind::Failed }
    }

    /// A failure that the model can mend by calling again with other arguments; how, is the message.
    ///
    /// A tool may say so [so many times](ToolRules::max_retries) in a run; then the run ends.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), kind: ToolErrorKind::Retry }
    }

    /// Something that only a person can say. The run pauses and asks them; the call is made again
    /// with what they say in [`ToolContext::answer`].
    pub fn input(message: impl fmt::Display, schema: Option<Value>) -> Self {
        Self { message: message.to_string(), kind: ToolErrorKind::Input { schema } }
    }

    /// Whether it is one that the model is to mend.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.kind == ToolErrorKind::Retry
    }

    pub(crate) fn kind(&self) -> &ToolErrorKind {
        &self.kind
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ToolError {}

const _: fn(&dyn Tool) = |_| {};
