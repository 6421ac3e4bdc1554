//! A Rust function that the model can call.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-function-tool
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use interactions_agent::{Agent, Tool, tool_fn};
use interactions_client::{Client, SharedTransport};
use interactions_server::{Config, Server};
use interactions_transport::TowerTransport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Place {
    /// The city, in English.
    city: String,
}

#[derive(Serialize)]
struct Weather {
    sky: &'static str,
    degrees: i32,
}

/// The type of the argument becomes the schema, its doc comments the descriptions.
fn weather() -> impl Tool {
    tool_fn("get_weather", "The weather in a city.", |place: Place| async move {
        match place.city.as_str() {
            "Oslo" => Ok(Weather { sky: "snow", degrees: -4 }),
            "Lisbon" => Ok(Weather { sky: "sun", degrees: 19 }),
            // An error goes back to the model, which may ask or correct itself.
            other => Err(format!("nobody measures the weather in {other}")),
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;

    let agent = Agent::builder(client, "scripted").tool(weather()).build();
    let outcome = agent.run("What is the weather in Oslo?").await?;
    for step in &outcome.steps {
        println!("{}", step.kind());
    }
    println!("{} ({} turns)", outcome.output_text(), outcome.turns);
    Ok(())
}
