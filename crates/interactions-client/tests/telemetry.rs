//! What traces show, and what they must not.
#![cfg(feature = "tracing")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use interactions_client::Client;
use interactions_testing::{Reply, capture};
use interactions_types::{CreateInteraction, GenerationConfig};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const ANSWER: &str = r#"{"id":"v1_x","status":"completed","model":"m-2",
    "steps":[{"type":"model_output","content":[{"type":"text","text":"the-answer"}]}],
    "usage":{"total_input_tokens":3,"total_output_tokens":5}}"#;

const EVENTS: &str = concat!(
    "data: {\"event_type\":\"interaction.created\",\"interaction\":{\"id\":\"v1_s\",\"status\":\"in_progress\"}}\n\n",
    "data: {\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_s\",\"status\":\"completed\",\"usage\":{\"total_output_tokens\":9}}}\n\n",
);

/// What two calls, a stream and a failure leave in a log of closed spans.
fn log(capture_content: bool) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let service = capture([
            Reply::json(ANSWER),
            Reply::sse(EVENTS),
            Reply::error(404, "not_found", "there is no the-secret"),
        ]);
        let client = Client::builder()
            .api_key("hush-hush")
            .base_url("http://models.example:8080")
            .capture_content(capture_content)
            .transport(service.transport())
            .build()
            .unwrap();
        let request = || {
            CreateInteraction::new("m-1", "the-question")
                .generation_config(GenerationConfig::new().max_output_tokens(70))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            client.create(request()).await.unwrap();
            client.create(request()).stream().await.unwrap().finish().await.unwrap();
            client.get("v1_gone").await.unwrap_err();
        });
    });
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn spans_name_model_usage_ids_and_errors() {
    let log = log(false);
    let line = |id: &str| {
        let found = log.lines().find(|line| line.contains(id));
        found.unwrap_or_else(|| panic!("no span of {id} in {log}")).to_owned()
    };
    let unary = line("gen_ai.response.id=\"v1_x\"");
    for field in [
        "gen_ai.operation.name=\"create_interaction\"",
        "gen_ai.request.model=\"m-1\"",
        "gen_ai.response.model=\"m-2\"",
        "gen_ai.request.max_tokens=70",
        "gen_ai.usage.input_tokens=3",
        "gen_ai.usage.output_tokens=5",
        "gen_ai.response.finish_reasons=\"completed\"",
        "server.address=\"models.example\"",
        "server.port=8080",
    ] {
        assert!(unary.contains(field), "{field}: {unary}");
    }
    let stream = line("gen_ai.response.id=\"v1_s\"");
    assert!(stream.contains("gen_ai.usage.output_tokens=9"), "{stream}");
    let failed = line("get_interaction");
    assert!(failed.contains("error.type=\"not_found\""), "{failed}");
}

#[test]
fn keys_and_content_stay_out_unless_content_is_asked_for() {
    let plain = log(false);
    for secret in ["hush-hush", "the-question", "the-answer", "the-secret"] {
        assert!(!plain.contains(secret), "{secret}: {plain}");
    }
    let full = log(true);
    assert!(full.contains("the-question") && full.contains("the-answer"), "{full}");
    assert!(!full.contains("hush-hush"));
}
