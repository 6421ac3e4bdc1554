//! Agents as tools of each other, and a conversation that is handed over.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-team
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use interactions_agent::{Agent, AgentBuilder};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn};
use serde_json::json;

/// An agent that says what its script says; with `Client::from_env()` it would be a real one.
fn agent(turns: impl IntoIterator<Item = ScriptedTurn>) -> Result<AgentBuilder, Box<dyn Error>> {
    let client = Client::builder().transport(ScriptedModel::new(turns).transport()).build()?;
    Ok(Agent::builder(client, "any-model"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // One agent asks others, as it would ask any tool; they run side by side.
    let forecaster = agent([ScriptedTurn::text("Snow in Oslo.")])?.build();
    let historian = agent([ScriptedTurn::text("Oslo was called Christiania.")])?.build();
    let guide =
        agent([
            ScriptedTurn::call("c1", "forecaster", json!({"task": "The weather in Oslo?"}))
                .and_call("c2", "historian", json!({"task": "How was Oslo called before?"})),
            ScriptedTurn::text("Take boots to Oslo, once Christiania."),
        ])?
        .tool(forecaster.as_tool("forecaster", "Knows the weather."))
        .tool(historian.as_tool("historian", "Knows the past."))
        .build();
    let outcome = guide.run("Tell me about Oslo.").await?;
    print!("{}", outcome.transcript());

    // One agent hands the conversation to another, which goes on with all that was said.
    let script = [
        ScriptedTurn::call("c1", "transfer_to_billing", json!({})),
        ScriptedTurn::text("Your money is on its way."),
    ];
    let client = Client::builder().transport(ScriptedModel::new(script).transport()).build()?;
    let billing = Agent::builder(client.clone(), "any-model").name("billing").build();
    let front = Agent::builder(client, "any-model")
        .name("front desk")
        .handoff(billing, "Takes care of money.")
        .build();
    let outcome = front.run("I want my money back.").await?;
    print!("\n{}", outcome.transcript());
    assert_eq!(outcome.output_text(), "Your money is on its way.");
    Ok(())
}
