//! An answer as it is made, taken up again after a break.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-streaming
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use futures::StreamExt;
use interactions_client::{Client, EventStream, SharedTransport};
use interactions_server::{Config, Server};
use interactions_transport::TowerTransport;
use interactions_types::{CreateInteraction, Delta, StreamEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;

    let mut events =
        client.create(CreateInteraction::new("scripted", "Please count to 12.")).stream().await?;
    let Some(StreamEvent::Created(created)) = events.next().await.transpose()? else {
        return Err("a stream begins with interaction.created".into());
    };
    let id = created.interaction.id;
    let first = read(&mut events, 4).await?;
    println!("{first}… and the connection breaks");

    // The run goes on without us; its log gives every event after the last one that we saw.
    let last = events.last_event_id().cloned().ok_or("a stored stream has event ids")?;
    drop(events);
    let mut rest = client.get(id).stream().last_event_id(last).await?;
    println!("{}", read(&mut rest, usize::MAX).await?);
    Ok(())
}

/// The text of the next `most` text deltas.
async fn read(events: &mut EventStream, most: usize) -> Result<String, interactions_client::Error> {
    let (mut text, mut count) = (String::new(), 0);
    while count < most
        && let Some(event) = events.next().await
    {
        if let StreamEvent::StepDelta(step) = event?
            && let Delta::Text(delta) = step.delta
        {
            text += &delta.text;
            count += 1;
        }
    }
    Ok(text)
}
