//! gemini-rust.

use std::error::Error;
use std::time::Instant;

use futures::TryStreamExt;
use gemini_rust::prelude::*;

include!("../../common.rs");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mode, url, count) = arguments();
    let client = Gemini::with_base_url("k", format!("{url}/v1beta/").parse()?)?;
    let create = || client.create_interaction().with_model("m").with_text("x");
    let mut size = 0;
    let mut began = Instant::now();
    if mode == "stream" {
        let mut events = create().execute_stream().await?;
        while let Some(event) = events.try_next().await? {
            if let InteractionEvent::StepDelta { delta, .. } = event {
                size += match delta {
                    StepDeltaData::Text { text } => text.len(),
                    _ => 1,
                };
            }
        }
    } else {
        create().execute().await?;
        began = Instant::now();
        for _ in 0..count {
            size += create().execute().await?.output_text().len();
        }
    }
    assert!(size > 0);
    report(began, size);
    Ok(())
}
