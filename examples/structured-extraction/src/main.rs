//! Answers of a type, corrected by the model until they fit.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-structured-extraction
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use interactions_agent::Agent;
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct Invoice {
    /// Who wants the money.
    from: String,
    /// In euros.
    total: f64,
    /// As YYYY-MM-DD.
    due: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In place of `Client::from_env()`: the first answer has a text where a number belongs.
    let model = ScriptedModel::new([
        ScriptedTurn::text(r#"{"from": "Ink & Co", "total": "forty", "due": "2026-12-01"}"#),
        ScriptedTurn::text(r#"{"from": "Ink & Co", "total": 40.5, "due": "2026-12-01"}"#),
    ]);
    let client = Client::builder().transport(model.transport()).build()?;

    let letter = "Dear Sir, forty euros and fifty cents are due on the first of December. Ink & Co";
    let agent = Agent::builder(client, "any-model").build();
    let invoice = agent.run_typed::<Invoice>(format!("Read this invoice: {letter}")).await?;
    let Invoice { from, total, due } = &invoice.value;
    println!("{from} wants {total} € by {due}, after {} answers", invoice.outcome.turns);
    assert!((*total - 40.5).abs() < f64::EPSILON);
    Ok(())
}
