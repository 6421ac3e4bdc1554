//! Less than a client: it goes by the name of the frame, knows three fields and keeps nothing else.

use std::borrow::Cow;
use std::error::Error;
use std::time::Instant;

use futures::StreamExt;
use serde::Deserialize;

include!("../../common.rs");

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    steps: Vec<Step<'a>>,
}

#[derive(Deserialize)]
struct Step<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Vec<Delta<'a>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mode, url, count) = arguments();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{url}/v1/interactions");
    let request = |stream: bool| {
        let body = serde_json::json!({"model": "m", "input": "x", "stream": stream}).to_string();
        client.post(&url).header("content-type", "application/json").body(body)
    };
    let mut size = 0;
    let mut began = Instant::now();
    if mode == "stream" {
        let mut bytes = request(true).send().await?.bytes_stream();
        let (mut buffer, mut from, mut seen) = (Vec::new(), 0, 0);
        let mut is_delta = false;
        while let Some(piece) = bytes.next().await {
            buffer.extend_from_slice(&piece?);
            while let Some(end) = memchr::memchr(b'\n', &buffer[seen..]).map(|at| seen + at) {
                let line = &buffer[from..end];
                if let Some(name) = line.strip_prefix(b"event: ") {
                    is_delta = name == b"step.delta";
                } else if is_delta && let Some(data) = line.strip_prefix(b"data: ") {
                    let event: Event = serde_json::from_slice(data)?;
                    // A client hands out values of its own.
                    size += event.delta.text.into_owned().len();
                    size += event.delta.data.into_owned().len();
                }
                from = end + 1;
                seen = from;
            }
            seen = buffer.len();
            buffer.drain(..from);
            seen -= from;
            from = 0;
        }
    } else {
        request(false).send().await?.bytes().await?;
        began = Instant::now();
        for _ in 0..count {
            let bytes = request(false).send().await?.bytes().await?;
            let whole: Whole = serde_json::from_slice(&bytes)?;
            let steps = whole.steps.iter().filter(|step| step.kind == "model_output");
            size += steps.flat_map(|step| &step.content).map(|part| part.text.len()).sum::<usize>();
            size += whole.id.len();
        }
    }
    assert!(size > 0);
    report(began, size);
    Ok(())
}
