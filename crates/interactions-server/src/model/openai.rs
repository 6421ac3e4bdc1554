//! `openai`: servers of OpenAI's chat completions, with their quirks.
//!
//! OpenAI, Ollama, vLLM, llama.cpp, LM Studio and others speak dialects of the same API:
//! tool calls come in fragments, without ids or without numbers, arguments as text or as objects,
//! thoughts under different names, usage late or never, and some answer a stream request
//! with plain JSON. Requests keep to what all of them understand.

mod chat;
mod inline;
mod quirks;
mod reply;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use interactions_transport::sse::Decoder;
use interactions_transport::{
    Body, SharedTransport, Timeouts, Transport, TransportError, TransportErrorKind,
};
use serde_json::Value;
use url::Url;

use super::{Model, ModelError, ModelEvent, ModelStream, Transient, Turn};
use chat::Host;
use quirks::{Quirk, Quirks};
use reply::Translator;

/// A large local model may read its prompt for minutes before the first byte.
const FIRST_BYTE: Duration = Duration::from_secs(600);
const IDLE: Duration = Duration::from_secs(300);
/// How large one event or one whole reply may be, unless it is set.
const REPLY_LIMIT: usize = 64 * 1024 * 1024;
const ERROR_LIMIT: usize = 64 * 1024;

/// A server of chat completions.
pub struct OpenAi {
    endpoint: Url,
    key: Option<HeaderValue>,
    transport: SharedTransport,
    max_event_bytes: usize,
    quirks: Quirks,
}

impl OpenAi {
    /// The server at `base` (with its version, as `http://127.0.0.1:11434/v1`; a bare host gets `/v1`).
    ///
    /// A key that a header cannot carry is left out, and the server will say so.
    #[must_use]
    pub fn new(base: Url, key: Option<String>, transport: SharedTransport) -> Self {
        let mut endpoint = base;
        if matches!(endpoint.path(), "" | "/") {
            endpoint.set_path("/v1");
        }
        if let Ok(mut path) = endpoint.path_segments_mut() {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        let key = key.and_then(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Self { endpoint, key, transport, max_event_bytes: REPLY_LIMIT, quirks: Quirks::default() }
    }

    /// How large one event of a stream, or a reply that is none, may be; 64 MiB by default.
    #[must_use]
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// Asks until the server takes the request, which is nearly always at once.
    async fn ask(&self, model: &str, mut body: Value) -> Result<http::Response<Body>, ModelError> {
        let mut avoided = self.quirks.of(model);
        for quirk in &avoided {
            quirk.avoid(&mut body);
        }
        loop {
            let response = self.send(model, &body).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            let (parts, said) = read_refusal(response).await;
            let quirk = matches!(parts.status.as_u16(), 400 | 422)
                .then(|| Quirk::behind(&said, &body))
                .flatten();
            let Some(quirk) = quirk.filter(|quirk| avoided.insert(*quirk)) else {
                return Err(refused(model, &parts, &said));
            };
            tracing::info!(model, ?quirk, said, "the model's server is asked in another way");
            quirk.avoid(&mut body);
            self.quirks.learn(model, quirk);
        }
    }

    async fn send(&self, model: &str, body: &Value) -> Result<http::Response<Body>, ModelError> {
        let mut request = http::Request::post(self.endpoint.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream, application/json")
            .body(Body::from(body.to_string()))
            .map_err(|error| ModelError::permanent("api_error", error.to_string()))?;
        if let Some(key) = &self.key {
            request.headers_mut().insert(AUTHORIZATION, key.clone());
        }
        request
            .extensions_mut()
            .insert(Timeouts::default().with_first_byte(FIRST_BYTE).with_idle(IDLE));
        self.transport.send(request).await.map_err(|error| unreachable(model, &error))
    }

    fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("host", &self.host()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Model for OpenAi {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        let model = turn.model.clone();
        let body = chat::request(&turn, Host::of(self.host()))?;
        let response = self.ask(&model, body).await?;
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return Ok(events(model, response.into_body(), self.max_event_bytes));
        }
        let whole = response
            .into_body()
            .collect(self.max_event_bytes)
            .await
            .map_err(|error| unreachable(&model, &error))?;
        let reply: Value = serde_json::from_slice(&whole).map_err(|_| unintelligible(&model))?;
        let mut translator = Translator::new();
        let mut out = VecDeque::new();
        translator.chunk(&reply, &mut out).map_err(|error| error.into_model_error(&model))?;
        translator.end(true, &mut out).map_err(|error| error.into_model_error(&model))?;
        Ok(stream::iter(out.into_iter().map(Ok)).boxed())
    }

    /// Few of these servers can, and those that can must not for strangers.
    fn reads_addresses(&self) -> bool {
        false
    }

    fn label(&self) -> String {
        format!("chat completions at {}", self.host())
    }
}

struct Reading {
    model: String,
    body: Body,
    decoder: Decoder,
    translator: Translator,
    ready: VecDeque<ModelEvent>,
    over: bool,
}

fn events(model: String, body: Body, max_event_bytes: usize) -> ModelStream {
    let reading = Reading {
        model,
        body,
        decoder: Decoder::new().with_limit(max_event_bytes),
        translator: Translator::new(),
        ready: VecDeque::new(),
        over: false,
    };
    stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(event) = reading.ready.pop_front() {
                return Some((Ok(event), reading));
            }
            if reading.over {
                return None;
            }
            if let Err(error) = reading.advance().await {
                reading.over = true;
                return Some((Err(error), reading));
            }
        }
    })
    .boxed()
}

impl Reading {
    /// Reads until there is an event, or the end.
    async fn advance(&mut self) -> Result<(), ModelError> {
        while let Some(frame) = self.decoder.next_frame() {
            let frame = frame.map_err(|_| unintelligible(&self.model))?;
            if frame.is_done() {
                return self.end(true);
            }
            let chunk: Value =
                serde_json::from_slice(frame.data()).map_err(|_| unintelligible(&self.model))?;
            self.translator
                .chunk(&chunk, &mut self.ready)
                .map_err(|error| error.into_model_error(&self.model))?;
            if !self.ready.is_empty() {
                return Ok(());
            }
        }
        match self.body.next().await {
            Some(Ok(bytes)) => self.decoder.push(&bytes),
            Some(Err(error)) => return Err(unreachable(&self.model, &error)),
            None => return self.end(false),
        }
        Ok(())
    }

    fn end(&mut self, announced: bool) -> Result<(), ModelError> {
        self.over = true;
        self.translator
            .end(announced, &mut self.ready)
            .map_err(|error| error.into_model_error(&self.model))
    }
}

fn unreachable(model: &str, error: &TransportError) -> ModelError {
    tracing::warn!(%error, model, "the model's server cannot be reached");
    match error.kind() {
        TransportErrorKind::Timeout => ModelError::transient(
            Transient::Timeout,
            format!("the server of `{model}` took too long"),
        ),
        TransportErrorKind::Connect => ModelError::transient(
            Transient::Unavailable,
            format!("the server of `{model}` cannot be reached"),
        ),
        _ => ModelError::transient(
            Transient::Unavailable,
            format!("the connection to the server of `{model}` broke"),
        ),
    }
}

fn unintelligible(model: &str) -> ModelError {
    ModelError::permanent(
        "api_error",
        format!("the server of `{model}` answered with something that is not chat completions"),
    )
}

async fn read_refusal(response: http::Response<Body>) -> (http::response::Parts, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect(ERROR_LIMIT).await.unwrap_or_default();
    let said = reply::error_message(&body);
    (parts, said)
}

fn refused(model: &str, parts: &http::response::Parts, said: &str) -> ModelError {
    tracing::warn!(status = %parts.status, said, model, "the model's server refused");
    let patience = || {
        let seconds = parts.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    };
    match parts.status.as_u16() {
        429 => ModelError::transient(
            Transient::RateLimited(patience()),
            format!("the server of `{model}` asks to slow down"),
        ),
        408 | 504 => ModelError::transient(
            Transient::Timeout,
            format!("the server of `{model}` took too long"),
        ),
        500.. => ModelError::transient(
            Transient::Unavailable,
            format!("the server of `{model}` failed with status {}", parts.status.as_u16()),
        ),
        401 | 403 => ModelError::permanent(
            "api_error",
            format!("the server of `{model}` refused this server's credentials"),
        ),
        404 => ModelError::permanent(
            "model_not_found",
            format!("the server of `{model}` does not know it: {said}"),
        ),
        _ => ModelError::permanent(
            "invalid_request",
            format!("the server of `{model}` refused the request: {said}"),
        ),
    }
}
