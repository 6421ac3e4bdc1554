//! One question, one answer.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-hello
//! GEMINI_API_KEY=… MODEL=gemini-3.8-flash cargo run -p example-hello
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use interactions_client::{Client, SharedTransport};
use interactions_server::{Config, Server};
use interactions_transport::TowerTransport;
use interactions_types::CreateInteraction;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // With a key this is all it takes; without one, a server in this process answers.
    let client = match Client::from_env() {
        Ok(client) => client,
        Err(_) => in_process().await?,
    };
    let model = std::env::var("MODEL").unwrap_or_else(|_| "scripted".to_owned());
    let answer = ask(&client, &model).await?;
    println!("{model}: {answer}");
    Ok(())
}

async fn ask(client: &Client, model: &str) -> Result<String, interactions_client::Error> {
    let interaction = client.create(CreateInteraction::new(model, "Why is the sky blue?")).await?;
    Ok(interaction.output_text())
}

async fn in_process() -> Result<Client, Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    Ok(Client::builder().base_url("http://in-process").transport(transport).build()?)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn is_answered() {
        let client = super::in_process().await.unwrap();
        assert!(super::ask(&client, "scripted").await.unwrap().contains("sky"));
    }
}
