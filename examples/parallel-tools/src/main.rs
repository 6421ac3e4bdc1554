//! Tools that run side by side, one that runs alone, and the events of a run.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-parallel-tools
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::time::{Duration, Instant};

use futures::StreamExt;
use interactions_agent::{Agent, RunEvent, ToolExt, tool_fn};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Pair {
    a: f64,
    b: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In place of `Client::from_env()`: a model that does what its script says, so that this runs
    // without a key. The same makes tests of agents of your own.
    let model = ScriptedModel::new([
        ScriptedTurn::call("c1", "add", json!({"a": 2, "b": 3}))
            .and_call("c2", "multiply", json!({"a": 4, "b": 5}))
            .and_call("c3", "write_down", json!({"text": "both are done"})),
        ScriptedTurn::text("The sum is 5, the product 20."),
    ]);
    let client = Client::builder().transport(model.transport()).build()?;

    let slowly = || tokio::time::sleep(Duration::from_millis(100));
    let add = tool_fn("add", "Adds.", move |pair: Pair| async move {
        slowly().await;
        Ok::<_, String>(pair.a + pair.b)
    });
    let multiply = tool_fn("multiply", "Multiplies.", move |pair: Pair| async move {
        slowly().await;
        Ok::<_, String>(pair.a * pair.b)
    });
    // What changes something shared runs alone: after what was called before it.
    let write_down = tool_fn("write_down", "Writes a note.", |note: Note| async move {
        Ok::<_, String>(format!("noted: {}", note.text))
    })
    .alone();

    let agent =
        Agent::builder(client, "any-model").tool(add).tool(multiply).tool(write_down).build();
    let mut run = agent.stream("Add 2 and 3, multiply 4 by 5, and write down when you are done.");
    let began = Instant::now();
    while let Some(event) = run.next().await {
        let at = began.elapsed().as_millis();
        match event? {
            RunEvent::CallReady { name, .. } => println!("{at:>4} ms  {name} …"),
            RunEvent::ToolFinished { name, output, .. } => {
                println!("{at:>4} ms  {name} → {}", output.to_text());
            }
            RunEvent::Finished(outcome) => println!("{at:>4} ms  {}", outcome.output_text()),
            _ => {}
        }
    }
    let told: Vec<String> = model.results().iter().map(|result| result.result.to_text()).collect();
    assert_eq!(told, ["5.0", "20.0", "noted: both are done"]);
    Ok(())
}
