//! What a run shows to those who operate the server: a span with `gen_ai.*` fields, and numbers.
//!
//! Nothing of what was said is in it.

use std::sync::Arc;
use std::time::Instant;

use interactions_types::{CreateInteraction, InteractionId, McpServerToolCall, Target, ToolOutput};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::Finished;
use crate::metrics::Metrics;

/// One run, until this is dropped.
#[derive(Debug)]
pub(super) struct Observation {
    span: Span,
    began: Instant,
    metrics: Arc<Metrics>,
    over: bool,
}

impl Observation {
    pub(super) fn begin(
        metrics: &Arc<Metrics>,
        id: &InteractionId,
        request: &CreateInteraction,
    ) -> Self {
        let span = tracing::info_span!(
            "interaction",
            gen_ai.operation.name = Empty,
            gen_ai.request.model = Empty,
            gen_ai.agent.id = Empty,
            gen_ai.response.id = id.as_str(),
            gen_ai.conversation.id = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            error.type = Empty,
        );
        match request.named_target() {
            Some(Target::Model(model)) => {
                span.record("gen_ai.operation.name", "chat");
                span.record("gen_ai.request.model", model.as_str());
            }
            Some(Target::Agent(agent)) => {
                span.record("gen_ai.operation.name", "invoke_agent");
                span.record("gen_ai.agent.id", agent.as_str());
            }
            _ => {}
        }
        if let Some(previous) = &request.previous_interaction_id {
            span.record("gen_ai.conversation.id", previous.as_str());
        }
        metrics.run_began();
        Self { span, began: Instant::now(), metrics: Arc::clone(metrics), over: false }
    }

    /// The span that the run's own records belong to.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The run has ended; without an end it was left to another attempt.
    pub(super) fn ended(mut self, finished: Option<&Finished>) {
        self.over = true;
        let interaction = finished.map(|finished| &finished.interaction);
        if let Some(interaction) = interaction {
            self.span.record("gen_ai.response.finish_reasons", interaction.status.as_str());
            let usage = interaction.usage.as_ref();
            if let Some(tokens) = usage.and_then(|usage| usage.total_input_tokens) {
                self.span.record("gen_ai.usage.input_tokens", tokens);
            }
            if let Some(tokens) = usage.and_then(|usage| usage.total_output_tokens) {
                self.span.record("gen_ai.usage.output_tokens", tokens);
            }
            let code = interaction.errors.iter().flatten().last().and_then(|it| it.code.as_deref());
            if let Some(code) = code {
                self.span.record("error.type", code);
            }
        }
        self.metrics.run_ended(
            interaction.map(|it| &it.status),
            interaction.and_then(|it| it.usage.as_ref()),
            self.began.elapsed(),
        );
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if !self.over {
            self.metrics.run_ended(None, None, self.began.elapsed());
        }
    }
}

/// Watches the call of an MCP tool; its failure is told to the model.
pub(super) async fn tool(
    metrics: &Metrics,
    call: &McpServerToolCall,
    work: impl Future<Output = Result<ToolOutput, String>>,
) -> ToolOutput {
    let span = tracing::info_span!(
        "execute_tool",
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = call.name,
        gen_ai.tool.call.id = call.id.as_str(),
        mcp.server = call.server_name,
        error.type = Empty,
    );
    let began = Instant::now();
    let output = work.instrument(span.clone()).await;
    metrics.tool_called(output.is_ok(), began.elapsed());
    output.unwrap_or_else(|why| {
        span.record("error.type", "tool_error");
        format!("Error: {why}").into()
    })
}
