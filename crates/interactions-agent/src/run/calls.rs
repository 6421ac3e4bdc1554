//! The calls of a turn: judged, carried out side by side, answered in their order.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use interactions_types::{
    CallId, Content, FunctionCall, FunctionResult, Step, ToolOutput, decode_value,
};
use serde_json::Value;
use tracing::Instrument;

use super::{Run, Stop};
use crate::event::Ending;
use crate::state::{OpenCall, Stage};
use crate::team;
use crate::tool::{Report, ToolErrorKind};
use crate::{Limit, Need, RunEvent, Tool, ToolContext, ToolError, Verdict};

type Tools = HashMap<String, Arc<dyn Tool>>;

impl Run {
    /// Brings every call of the turn to its result, or to where it waits for somebody.
    pub(super) async fn carry_out(&mut self) -> Result<Option<Ending>, Stop> {
        let tools = match self.tools.take() {
            Some(tools) => tools,
            // Another process has asked: with the tools, and under the rules, of that turn.
            None => {
                self.state.turns = self.state.turns.saturating_sub(1);
                let planned = self.plan().await;
                self.state.turns += 1;
                planned?;
                self.tools.take().unwrap_or_default()
            }
        };
        self.judge(&tools).await?;
        self.check_limits()?;
        let limit = self.root.0.max_parallel_tools;
        for group in groups(&self.state.calls, &tools) {
            self.run_group(&group, &tools, limit).await?;
        }
        self.state.usage +=
            &mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        let pending = self.state.pending();
        if !pending.is_empty() {
            for call in pending {
                self.tell(RunEvent::ApprovalNeeded(call)).await;
            }
            self.clock();
            return Ok(Some(Ending::Paused(Box::new(self.state.clone()))));
        }
        self.hand_off(&tools).await;
        let calls = mem::take(&mut self.state.calls);
        let done = |open: OpenCall| match open.stage {
            Stage::Done(result) => Some(Step::from(result)),
            _ => None,
        };
        self.state.input = calls.into_iter().filter_map(done).collect();
        self.checkpoint().await?;
        Ok(None)
    }

    /// Decides what becomes of each call before any of them runs.
    async fn judge(&mut self, tools: &Tools) -> Result<(), Stop> {
        for at in 0..self.state.calls.len() {
            let open = &self.state.calls[at];
            let tool = find(tools, &open.call.name);
            match (&open.stage, tool) {
                (Stage::Done(_) | Stage::Waiting(_), _) => {}
                (Stage::Started, Some(tool)) if tool.rules().repeatable => {
                    self.state.calls[at].stage = Stage::Ready;
                }
                (Stage::Started, _) => {
                    let why =
                        "the program was stopped while this ran; nobody knows whether it was done";
                    self.fail(at, why).await;
                }
                (Stage::Broken(fault), tool) => {
                    // Without its arguments a tool could do what nobody asked for.
                    let (fault, limit) = (fault.clone(), tool.map(|tool| tool.rules().max_retries));
                    self.retry(at, &fault, limit).await?;
                }
                (Stage::Ready, None) => {
                    let mut known: Vec<&str> = tools.keys().map(String::as_str).collect();
                    known.sort_unstable();
                    let name = &open.call.name;
                    let why = format!("there is no tool `{name}`; there are: {}", known.join(", "));
                    self.fail(at, &why).await;
                }
                (Stage::Ready, Some(tool)) => {
                    let tool = Arc::clone(tool);
                    self.admit(at, tool.as_ref()).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks the hooks and the tool's rules about a call that could run.
    async fn admit(&mut self, at: usize, tool: &dyn Tool) -> Result<(), Stop> {
        let rules = tool.rules();
        let mut call = self.state.calls[at].call.clone();
        let mut asked = false;
        // After a crash they are not asked again: they may have changed the arguments.
        if !self.state.calls[at].approved && !self.state.calls[at].judged {
            for hooks in self.hooks() {
                let verdict = hooks.before_tool(&self.state, &mut call);
                match self.hooked("before_tool", verdict).await? {
                    Verdict::Run => {}
                    Verdict::Ask => asked = true,
                    Verdict::Answer(output) => {
                        let (output, is_error) = answer(Ok(output));
                        self.finish(at, output, is_error, Duration::ZERO).await;
                        return Ok(());
                    }
                    Verdict::Deny(why) => {
                        self.fail(at, &format!("It was not allowed: {why}")).await;
                        return Ok(());
                    }
                }
            }
        }
        let open = &mut self.state.calls[at];
        let is_needed = || rules.approval.is_needed(&call.arguments);
        // A rule that cannot be asked is no permission.
        asked |= std::panic::catch_unwind(AssertUnwindSafe(is_needed)).unwrap_or(true);
        open.call = call;
        open.judged = true;
        if rules.external {
            open.stage = Stage::Waiting(Need::Result);
        } else if asked && !open.approved {
            open.stage = Stage::Waiting(Need::Approval);
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Stop> {
        let ready = self.state.calls.iter().filter(|open| open.stage == Stage::Ready);
        let names = ready.map(|open| plain(&open.call.name));
        match self.root.0.limits.before_calls(&self.state.calls_made, names) {
            Some(limit) => Err(Stop::Limit(limit)),
            None => Ok(()),
        }
    }

    /// Runs calls side by side.
    async fn run_group(
        &mut self,
        group: &[usize],
        tools: &Tools,
        limit: usize,
    ) -> Result<(), Stop> {
        let mut queue: VecDeque<usize> = group.iter().copied().collect();
        let mut running = FuturesUnordered::new();
        loop {
            let room = limit.saturating_sub(running.len()).min(queue.len());
            let next: Vec<usize> = queue.drain(..room).collect();
            if !next.is_empty() {
                self.begin_calls(&next).await?;
                running.extend(next.iter().filter_map(|&at| self.call(at, tools)));
            }
            let Some((at, result, elapsed)) = self.in_time(running.next()).await? else { break };
            match result {
                Err(error) if error.is_retry() => {
                    let tool = find(tools, &self.state.calls[at].call.name);
                    let limit = tool.map(|tool| tool.rules().max_retries);
                    self.retry(at, &error.to_string(), limit).await?;
                }
                Err(error)
                    if matches!(error.kind(), ToolErrorKind::Input { .. })
                        && error.to_string().len() <= self.agent.0.max_tool_output =>
                {
                    let ToolErrorKind::Input { schema } = error.kind().clone() else { continue };
                    let message = error.to_string();
                    self.state.calls[at].stage = Stage::Waiting(Need::Input { message, schema });
                }
                result => {
                    let (output, is_error) = answer(result);
                    let (mut output, mut is_error) = self.bounded(output, is_error);
                    for hooks in self.hooks() {
                        let call = &self.state.calls[at].call;
                        let seen = hooks.after_tool(&self.state, call, &mut output, &mut is_error);
                        if let Err(stop) = self.hooked("after_tool", seen).await {
                            // It has run, but what it brought may not be for the model.
                            let held = ToolOutput::from("its result was held back");
                            self.finish(at, held, true, elapsed).await;
                            return Err(stop);
                        }
                    }
                    self.finish(at, output, is_error, elapsed).await;
                }
            }
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Puts on record that calls begin. Those that wait for room are not among them: after a crash
    /// nobody has to wonder whether they were done.
    async fn begin_calls(&mut self, calls: &[usize]) -> Result<(), Stop> {
        for &at in calls {
            let open = &mut self.state.calls[at];
            open.stage = Stage::Started;
            // One that has asked a person in between is still the same call.
            if open.answer.is_none() {
                *self.state.calls_made.entry(plain(&open.call.name).to_owned()).or_default() += 1;
            }
            let call = &self.state.calls[at].call;
            let (id, name, arguments) =
                (call.id.clone(), call.name.clone(), call.arguments.clone());
            self.tell(RunEvent::CallReady { id, name, arguments }).await;
        }
        // With the reader of the run as well: it is heard before the run is asked for more.
        self.checkpoint().await?;
        tokio::task::yield_now().await;
        Ok(())
    }

    fn call(
        &self,
        at: usize,
        tools: &Tools,
    ) -> Option<impl Future<Output = (usize, Result<ToolOutput, ToolError>, Duration)> + use<>>
    {
        let open = &self.state.calls[at];
        let tool = Arc::clone(find(tools, &open.call.name)?);
        let context = self.context(open);
        Some(call_tool(at, tool, open.call.clone(), context, self.agent.0.tool_timeout))
    }

    fn context(&self, open: &OpenCall) -> ToolContext {
        let name = plain(&open.call.name);
        let mut context = ToolContext::new(open.call.id.clone(), self.state.interaction.id.clone());
        context.attempt = self.state.retries.get(name).copied().unwrap_or_default();
        context.answer.clone_from(&open.answer);
        context.answers.clone_from(&open.answers);
        context.dependencies = self.agent.0.dependencies.or(&self.root.0.dependencies);
        context.report = Some(Report {
            name: open.call.name.clone(),
            events: self.events.clone(),
            hooks: self.hooks(),
            spent: Arc::clone(&self.spent),
        });
        context
    }

    /// No more text than a model may be given, whoever has brought it.
    fn bounded(&self, output: ToolOutput, is_error: bool) -> (ToolOutput, bool) {
        let (size, limit) = (text_size(&output), self.agent.0.max_tool_output);
        if size <= limit {
            return (output, is_error);
        }
        let why = format!("it returned {size} bytes of text, more than {limit}; ask for less");
        (ToolOutput::Text(why), true)
    }

    /// Bounds what others have brought as results.
    pub(super) fn bound_results(&mut self) {
        for at in 0..self.state.calls.len() {
            let Stage::Done(result) = &self.state.calls[at].stage else { continue };
            let mut result = result.clone();
            let failed = result.is_error == Some(true);
            let (output, is_error) = self.bounded(result.result, failed);
            result.result = output;
            result.is_error = is_error.then_some(true).or(result.is_error);
            self.state.calls[at].stage = Stage::Done(result);
        }
    }

    /// Lets the model try again, if it may.
    async fn retry(&mut self, at: usize, why: &str, limit: Option<u32>) -> Result<(), Stop> {
        let (why, _) = self.bounded(ToolOutput::from(why), true);
        let why = why.to_text();
        let call = self.state.calls[at].call.clone();
        let tool = plain(&call.name).to_owned();
        let attempt = self.state.retries.entry(tool.clone()).or_default();
        *attempt += 1;
        let attempt = *attempt;
        let limit = limit.unwrap_or_else(|| crate::ToolRules::default().max_retries);
        let event = RunEvent::Retry { id: call.id, name: call.name, attempt, message: why.clone() };
        self.tell(event).await;
        self.fail(at, &why).await;
        if attempt > limit { Err(Stop::Limit(Limit::Retries { tool, limit })) } else { Ok(()) }
    }

    async fn fail(&mut self, at: usize, why: &str) {
        self.finish(at, ToolOutput::Text(why.to_owned()), true, Duration::ZERO).await;
    }

    async fn finish(&mut self, at: usize, output: ToolOutput, is_error: bool, elapsed: Duration) {
        let (output, is_error) = self.bounded(output, is_error);
        let open = &mut self.state.calls[at];
        let announced = open.stage == Stage::Started;
        let mut result: FunctionResult = open.call.result(output.clone());
        result.is_error = is_error.then_some(true);
        open.stage = Stage::Done(result.clone());
        let (id, name): (CallId, String) = (open.call.id.clone(), open.call.name.clone());
        let (call, interaction) = (open.call.clone(), self.state.interaction.id.clone());
        self.state.remember(interaction, call, result);
        if !announced {
            // A reader knows no result without its call.
            let arguments = self.state.calls[at].call.arguments.clone();
            let (id, name) = (id.clone(), name.clone());
            self.tell(RunEvent::CallReady { id, name, arguments }).await;
        }
        self.tell(RunEvent::ToolFinished { id, name, output, is_error, elapsed }).await;
    }

    /// Gives the conversation to another agent if the model has asked for that.
    async fn hand_off(&mut self, tools: &Tools) {
        let wanted = self.state.calls.iter().find_map(|open| match &open.stage {
            Stage::Done(result) if result.is_error.is_none() => {
                let name = plain(&open.call.name);
                let tool = tools.get(name)?;
                team::target(tool.as_ref(), name)
            }
            _ => None,
        });
        let Some(agent) = wanted.and_then(|name| self.agent.find(&name)) else { return };
        self.state.agent = agent.name().to_owned();
        self.state.forced = false;
        if agent.0.client.base_url() != self.agent.0.client.base_url() {
            // Another service does not know what was said here.
            self.state.previous = None;
        }
        self.tell(RunEvent::HandedOff { to: agent.name().to_owned() }).await;
        self.agent = agent;
    }
}

/// Runs one tool safely. Whatever goes wrong becomes an error in words for the model.
async fn call_tool(
    at: usize,
    tool: Arc<dyn Tool>,
    call: FunctionCall,
    context: ToolContext,
    limit: Duration,
) -> (usize, Result<ToolOutput, ToolError>, Duration) {
    let span = tracing::info_span!(
        "execute_tool",
        otel.name = format!("execute_tool {}", call.name),
        otel.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
        gen_ai.tool.type = "function",
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = call.name,
        gen_ai.tool.call.id = %call.id,
        gen_ai.response.id = %context.interaction_id,
    );
    let began = Instant::now();
    let name = call.name;
    let limit = tool.rules().timeout.unwrap_or(limit);
    // A tool may panic before it has made its future, too.
    let work = async { tool.call(context, call.arguments).await };
    let work = AssertUnwindSafe(work).catch_unwind().instrument(span.clone());
    let result = match tokio::time::timeout(limit, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let words =
                words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(tool = name, panic = words, "a tool panicked");
            Err(ToolError::new(format!("the tool `{name}` crashed")))
        }
        Err(_) => Err(ToolError::new(format!("the tool `{name}` took longer than {limit:?}"))),
    };
    if let Err(error) = &result
        && !matches!(error.kind(), ToolErrorKind::Input { .. })
    {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", "tool_error");
    }
    (at, result, began.elapsed())
}

/// Calls that run side by side, one group after the other: whatever must run alone is a group of its own.
fn groups(calls: &[OpenCall], tools: &Tools) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut may_join = false;
    for (at, open) in calls.iter().enumerate().filter(|(_, open)| open.stage == Stage::Ready) {
        let alone = find(tools, &open.call.name).is_some_and(|tool| tool.rules().alone);
        match groups.last_mut() {
            Some(group) if may_join && !alone => group.push(at),
            _ => groups.push(vec![at]),
        }
        may_join = !alone;
    }
    groups
}

/// The service sometimes qualifies the names of declared functions.
fn plain(name: &str) -> &str {
    name.strip_prefix("default_api:").unwrap_or(name)
}

fn find<'a>(tools: &'a Tools, name: &str) -> Option<&'a Arc<dyn Tool>> {
    tools.get(plain(name))
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

/// How much text a model would have to read.
fn text_size(output: &ToolOutput) -> usize {
    match output {
        ToolOutput::Text(text) => text.len(),
        ToolOutput::Contents(contents) => {
            contents.iter().filter_map(Content::as_text).map(str::len).sum()
        }
        other => other.to_text().len(),
    }
}

/// The output and whether it is an error, as they go back to the model.
fn answer(result: Result<ToolOutput, ToolError>) -> (ToolOutput, bool) {
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
