//! A server with a model of your own and its client, in one process and without a socket.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-in-process
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use interactions_client::{Client, SharedTransport};
use interactions_server::model::{Finish, Model, ModelError, ModelEvent, ModelStream, Turn};
use interactions_server::{Config, Server};
use interactions_transport::TowerTransport;
use interactions_types::{CreateInteraction, ModelOutput, Step, TextDelta};

/// Turns what the user said around.
#[derive(Debug)]
struct Backwards;

#[async_trait]
impl Model for Backwards {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        let said = match turn.steps.last() {
            Some(Step::UserInput(input)) => {
                input.content.iter().filter_map(|part| part.as_text()).collect()
            }
            _ => String::new(),
        };
        let answer: String = said.chars().rev().collect();
        let events = [
            ModelEvent::Start(ModelOutput::new().into()),
            ModelEvent::Delta(TextDelta::new(answer).into()),
            ModelEvent::Stop,
            ModelEvent::Finish(Finish::Stop),
        ];
        Ok(stream::iter(events.map(Ok)).boxed())
    }

    fn label(&self) -> String {
        "an example".to_owned()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).model("backwards", Backwards).build().await?;

    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;
    let interaction =
        client.create(CreateInteraction::new("backwards", "no lemon, no melon")).await?;
    println!("{} ({})", interaction.output_text(), interaction.id);
    server.close().await;
    Ok(())
}
