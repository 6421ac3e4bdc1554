//! genai-rs against our server: a tool, its result, and a streamed turn that remembers.

use std::error::Error;

use futures::StreamExt;
use genai_rs::{Client, FunctionDeclaration, Step, StreamChunk};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("GOOGLE_GEMINI_BASE_URL")?;
    let client = Client::builder("any".to_owned()).with_base_url(url).build()?;
    let weather = || {
        let city = json!({"type": "string"});
        let tool = FunctionDeclaration::builder("get_weather").with_description("Tells the weather.");
        vec![tool.add_parameter("city", city).build()]
    };
    let ask = || client.interaction().with_model("scripted").add_functions(weather());
    let asked = ask().with_text("How is the weather in Oslo?").create().await?;
    let calls = asked.pending_function_calls();
    let [call] = &calls[..] else { return Err(format!("{} calls", calls.len()).into()) };
    let result = vec![Step::function_result(call.name, call.id, json!({"weather": "snow"}))];
    let id = asked.id.clone().ok_or("no id")?;
    let told = ask().with_previous_interaction(&id).with_history(result).create().await?;
    assert!(told.as_text().is_some_and(|text| text.contains("snow")), "{told:?}");

    let id = told.id.clone().ok_or("no id")?;
    let turn = ask().with_previous_interaction(&id).with_text("and tomorrow?");
    let (mut events, mut text) = (turn.create_stream(), String::new());
    while let Some(event) = events.next().await {
        if let StreamChunk::StepDelta { delta, .. } = event?.chunk {
            text += delta.as_text().unwrap_or_default();
        }
    }
    assert_eq!(text, "Tomorrow it is the same.");
    println!("genai-rs: ok");
    Ok(())
}
