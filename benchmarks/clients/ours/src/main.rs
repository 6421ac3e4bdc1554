//! Our client.

use std::error::Error;
use std::time::Instant;

use futures::StreamExt;
use interactions_client::Client;
use interactions_types::{CreateInteraction, Delta, StreamEvent};

include!("../../common.rs");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mode, url, count) = arguments();
    let client = Client::builder().api_key("k").base_url(url).build()?;
    let request = || CreateInteraction::new("m", "x");
    let mut size = 0;
    let mut began = Instant::now();
    if mode == "stream" {
        let mut events = client.create(request()).stream().await?.without_keeping();
        while let Some(event) = events.next().await {
            if let StreamEvent::StepDelta(step) = event? {
                size += match &step.delta {
                    Delta::Text(text) => text.text.len(),
                    Delta::Image(image) => image.data.as_ref().map_or(0, |data| data.len()),
                    _ => 0,
                };
            }
        }
    } else {
        client.create(request()).await?;
        began = Instant::now();
        for _ in 0..count {
            size += client.create(request()).await?.output_text().len();
        }
    }
    assert!(size > 0);
    report(began, size);
    Ok(())
}
