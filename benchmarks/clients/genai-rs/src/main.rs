//! genai-rs.

use std::error::Error;
use std::time::Instant;

use futures::StreamExt;
use genai_rs::{Client, StreamChunk};

include!("../../common.rs");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mode, url, count) = arguments();
    let client = Client::builder("k".to_owned()).with_base_url(url).build()?;
    let mut size = 0;
    let mut began = Instant::now();
    if mode == "stream" {
        let mut events = client.interaction().with_model("m").with_text("x").create_stream();
        while let Some(event) = events.next().await {
            if let StreamChunk::StepDelta { delta, .. } = event?.chunk {
                size += delta.as_text().map_or(1, str::len);
            }
        }
    } else {
        client.interaction().with_model("m").with_text("x").create().await?;
        began = Instant::now();
        for _ in 0..count {
            let answer = client.interaction().with_model("m").with_text("x").create().await?;
            size += answer.as_text().map_or(0, |text| text.len());
        }
    }
    assert!(size > 0);
    report(began, size);
    Ok(())
}
