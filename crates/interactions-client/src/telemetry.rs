//! Spans with the `gen_ai.*` fields of OpenTelemetry's conventions, with the feature `tracing`.
//!
//! A span lives as long as its call, or as its stream. What people said is recorded only where
//! the client was built with `capture_content`; keys and headers never are.

use std::future::Future;

#[cfg(feature = "tracing")]
use interactions_types::Target;
use interactions_types::{CreateInteraction, Interaction, StreamEvent};

use crate::{Client, Error};

/// The span of one call. Without the feature it is nothing.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "tracing")]
    content: bool,
}

/// Says once that an answer was cut for length and is not continued, as was asked.
pub(crate) fn note_incomplete() {
    #[cfg(feature = "tracing")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            tracing::warn!(
                target: "interactions_client",
                "an answer was cut for length (`requires_continuation`); automatic continuation, \
                 background work or its continuation token give the rest"
            );
        });
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn new(_name: &'static str, _client: &Client) -> Self {
        Self {}
    }

    pub(crate) fn is_recording(&self) -> bool {
        false
    }

    pub(crate) fn request(&self, _request: &CreateInteraction) {}

    pub(crate) fn interaction(&self, _interaction: &Interaction) {}

    pub(crate) fn event(&self, _event: &StreamEvent) {}

    pub(crate) fn error(&self, _error: &Error) {}

    pub(crate) async fn watch<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        call.await
    }
}

#[cfg(feature = "tracing")]
impl Span {
    pub(crate) fn new(name: &'static str, client: &Client) -> Self {
        let url = client.url(&[]).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        let span = tracing::info_span!(
            target: "interactions_client",
            "interactions",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            gen_ai.operation.name = name,
            gen_ai.provider.name = "gcp.gemini",
            gen_ai.request.model = tracing::field::Empty,
            gen_ai.agent.id = tracing::field::Empty,
            gen_ai.request.max_tokens = tracing::field::Empty,
            gen_ai.request.temperature = tracing::field::Empty,
            gen_ai.conversation.id = tracing::field::Empty,
            gen_ai.response.id = tracing::field::Empty,
            gen_ai.response.model = tracing::field::Empty,
            gen_ai.response.finish_reasons = tracing::field::Empty,
            gen_ai.usage.input_tokens = tracing::field::Empty,
            gen_ai.usage.output_tokens = tracing::field::Empty,
            gen_ai.input.messages = tracing::field::Empty,
            gen_ai.output.messages = tracing::field::Empty,
            server.address = host,
            server.port = tracing::field::Empty,
            error.r#type = tracing::field::Empty,
        );
        if let Some(port) = url.as_ref().and_then(|url| url.port_or_known_default()) {
            span.record("server.port", port);
        }
        Self { span, content: client.captures_content() }
    }

    /// Whether anybody reads what is recorded.
    pub(crate) fn is_recording(&self) -> bool {
        !self.span.is_disabled()
    }

    #[expect(deprecated, reason = "what callers still set is worth seeing")]
    pub(crate) fn request(&self, request: &CreateInteraction) {
        match request.named_target() {
            Some(Target::Model(model)) => self.record("gen_ai.request.model", model.as_str()),
            Some(Target::Agent(agent)) => self.record("gen_ai.agent.id", agent.as_str()),
            _ => {}
        }
        if let Some(config) = &request.generation_config {
            if let Some(most) = config.max_output_tokens {
                self.span.record("gen_ai.request.max_tokens", most);
            }
            if let Some(temperature) = config.temperature {
                self.span.record("gen_ai.request.temperature", temperature);
            }
        }
        if let Some(previous) = &request.previous_interaction_id {
            self.record("gen_ai.conversation.id", previous.as_str());
        }
        if self.content
            && let Ok(input) = serde_json::to_string(&request.input)
        {
            self.record("gen_ai.input.messages", &input);
        }
    }

    pub(crate) fn interaction(&self, interaction: &Interaction) {
        self.record("gen_ai.response.id", interaction.id.as_str());
        self.record("gen_ai.response.finish_reasons", interaction.status.as_str());
        if let Some(model) = &interaction.model {
            self.record("gen_ai.response.model", model.as_str());
        }
        if let Some(usage) = &interaction.usage {
            if let Some(tokens) = usage.total_input_tokens {
                self.span.record("gen_ai.usage.input_tokens", tokens);
            }
            if let Some(tokens) = usage.total_output_tokens {
                self.span.record("gen_ai.usage.output_tokens", tokens);
            }
        }
        if self.content
            && !interaction.steps.is_empty()
            && let Ok(steps) = serde_json::to_string(&interaction.steps)
        {
            self.record("gen_ai.output.messages", &steps);
        }
    }

    pub(crate) fn event(&self, event: &StreamEvent) {
        match event {
            StreamEvent::Created(event) => {
                self.record("gen_ai.response.id", event.interaction.id.as_str());
            }
            StreamEvent::Completed(event) => self.interaction(&event.interaction),
            _ => {}
        }
    }

    /// Records the kind of error, never its text: a service may quote the request in it.
    pub(crate) fn error(&self, error: &Error) {
        self.record("otel.status_code", "ERROR");
        match (error.code(), error.status()) {
            (Some(code), _) => self.record("error.type", code),
            (None, Some(status)) => self.record("error.type", &status.to_string()),
            (None, None) => self.record("error.type", &format!("{:?}", error.kind())),
        }
    }

    pub(crate) async fn watch<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        use tracing::Instrument as _;

        let result = call.instrument(self.span.clone()).await;
        if let Err(error) = &result {
            self.error(error);
        }
        result
    }

    fn record(&self, field: &str, value: &str) {
        if !value.is_empty() {
            self.span.record(field, value);
        }
    }
}
