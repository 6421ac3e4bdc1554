//! A run as a stream of its events.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::mpsc::{self, Receiver};
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, Stream, StreamExt};
use tokio::time::Instant;
use tracing::Instrument;

use super::{Run, Start};
use crate::{Agent, AgentError, Outcome, RunEvent, RunState, SessionRecord};

/// How many events a run may be ahead of its reader.
const AHEAD: usize = 64;

/// The events of a run. The run goes on as far as it is read; dropping it stops everything.
#[must_use = "a run does nothing until it is read"]
pub struct RunStream {
    events: Receiver<Result<RunEvent, AgentError>>,
    /// The run itself; polled with the stream, so it needs no task of its own.
    driver: Option<BoxFuture<'static, ()>>,
}

/// Writes the end of a run into its span.
fn note(span: &tracing::Span, ended: &Result<Outcome, AgentError>) {
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error) => {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", error.kind_name());
            error.outcome()
        }
    };
    span.record("gen_ai.response.id", outcome.interaction.id.as_str());
    if let Some(tokens) = outcome.usage.total_input_tokens {
        span.record("gen_ai.usage.input_tokens", tokens);
    }
    if let Some(tokens) = outcome.usage.total_output_tokens {
        span.record("gen_ai.usage.output_tokens", tokens);
    }
}

impl RunStream {
    pub(crate) fn new(agent: Agent, start: Start) -> Self {
        let (sender, events) = mpsc::channel(AHEAD);
        let span = tracing::info_span!(
            "invoke_agent",
            otel.name = format!("invoke_agent {}", agent.name()).trim_end(),
            otel.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
            gen_ai.operation.name = "invoke_agent",
            gen_ai.provider.name = "gcp.gemini",
            gen_ai.agent.name = agent.name(),
            gen_ai.response.id = tracing::field::Empty,
            gen_ai.usage.input_tokens = tracing::field::Empty,
            gen_ai.usage.output_tokens = tracing::field::Empty,
        );
        let driver = async move {
            let mut last = sender.clone();
            let hooks = agent.0.hooks.clone();
            let run = Run {
                agent: agent.clone(),
                root: agent,
                state: RunState::new(Vec::new()),
                tools: None,
                events: sender,
                record: SessionRecord::default(),
                spent: Arc::default(),
                began: Instant::now(),
                worked: Duration::ZERO,
                deadline: None,
            };
            let ended = run.drive(start).await;
            note(&tracing::Span::current(), &ended);
            let ended = ended.map(|outcome| RunEvent::Finished(Box::new(outcome)));
            if let Ok(event) = &ended {
                hooks.iter().for_each(|hooks| hooks.on_event(event));
            }
            // Nobody is left to tell when the stream was dropped.
            let _ = last.send(ended).await;
        };
        Self { events, driver: Some(driver.instrument(span).boxed()) }
    }

    /// Reads the run for its outcome only.
    ///
    /// # Errors
    /// As [`Agent::run`].
    pub async fn finish(mut self) -> Result<Outcome, AgentError> {
        while let Some(event) = self.next().await {
            if let RunEvent::Finished(outcome) = event? {
                return Ok(*outcome);
            }
        }
        unreachable!("a run ends with Finished or an error")
    }
}

impl Stream for RunStream {
    type Item = Result<RunEvent, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(event) = self.events.poll_next_unpin(cx) {
            return Poll::Ready(event);
        }
        if let Some(driver) = &mut self.driver
            && driver.poll_unpin(cx).is_ready()
        {
            self.driver = None;
            // Tools that were given up may still hold a way to tell, and nothing follows the end.
            self.events.close();
        }
        self.events.poll_next_unpin(cx)
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream").field("over", &self.driver.is_none()).finish_non_exhaustive()
    }
}
