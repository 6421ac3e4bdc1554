//! What traces of a run show, and what they must not.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use interactions_agent::{Agent, tool_fn};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
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

#[derive(Deserialize, JsonSchema)]
struct Place {
    city: String,
}

#[test]
fn spans_name_agent_turns_and_tools_and_nothing_that_was_said() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let model = ScriptedModel::new([
            Turn::call("c1", "get_weather", json!({"city": "the-city"})),
            Turn::text("the-answer").usage(7, 3),
        ]);
        let client =
            Client::builder().api_key("hush-hush").transport(model.transport()).build().unwrap();
        let weather = tool_fn("get_weather", "Weather.", |place: Place| async move {
            Ok::<_, String>(format!("the-result of {}", place.city))
        });
        let agent = Agent::builder(client, "m").name("helper").tool(weather).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(agent.run("the-question")).unwrap();
    });
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8(bytes).unwrap();
    let closed = |span: &str| {
        let ends = format!("{span}{{");
        text.lines().filter(|line| line.contains(&ends) && line.contains("close")).count()
    };
    assert!(closed("invoke_agent") >= 1, "{text}");
    for (field, value) in [
        ("gen_ai.agent.name", "\"helper\""),
        ("gen_ai.tool.name", "\"get_weather\""),
        ("gen_ai.tool.call.id", "c1"),
        ("gen_ai.request.model", "\"m\""),
        ("gen_ai.response.id", "\"v1_2\""),
        ("turn", "2"),
        ("otel.name", "\"invoke_agent helper\""),
        ("otel.name", "\"execute_tool get_weather\""),
        ("gen_ai.tool.type", "\"function\""),
        ("gen_ai.provider.name", "\"gcp.gemini\""),
        ("gen_ai.usage.input_tokens", "7"),
    ] {
        assert!(text.contains(&format!("{field}={value}")), "{field}={value}\n{text}");
    }
    for secret in ["the-city", "the-answer", "the-result", "the-question", "hush-hush"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}
