//! A conversation that the server remembers, with a fork.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-chat
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use interactions_client::{Client, SharedTransport};
use interactions_server::{Config, Server};
use interactions_transport::TowerTransport;
use interactions_types::{CreateInteraction, Interaction, InteractionId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;

    let first = say(&client, "My cat is called Schrödinger.", None).await?;
    let second = say(&client, "What should I feed him?", Some(&first.id)).await?;
    // History is a tree: another turn may continue the first one as well.
    let fork = say(&client, "Is he alive?", Some(&first.id)).await?;

    for turn in [&second, &fork] {
        println!(
            "{} continues {:?}",
            turn.id,
            turn.previous_interaction_id.as_ref().map(InteractionId::as_str)
        );
    }
    // Reading a stored turn gives what was said and what was answered.
    for step in client.get(&fork.id).await?.steps {
        println!("  {}", step.kind());
    }
    Ok(())
}

async fn say(
    client: &Client,
    text: &str,
    previous: Option<&InteractionId>,
) -> Result<Interaction, interactions_client::Error> {
    let mut request = CreateInteraction::new("scripted", text);
    if let Some(previous) = previous {
        request = request.previous_interaction_id(previous);
    }
    let interaction = client.create(request).await?;
    println!("> {text}\n{}", interaction.output_text());
    Ok(interaction)
}
