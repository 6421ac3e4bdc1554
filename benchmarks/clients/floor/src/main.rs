//! The floor: what typed events take at least, by hand.
//!
//! It peeks at the tag in the JSON, as nothing else tells what an event is, and reads the kind it
//! found into values of its own. It knows few kinds and few fields, and keeps the rest as text.

use std::borrow::Cow;
use std::error::Error;
use std::time::Instant;

use futures::StreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;

include!("../../common.rs");

#[derive(Deserialize)]
struct EventTag<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct StepDelta<'a> {
    index: u32,
    #[serde(borrow)]
    delta: &'a RawValue,
}

#[derive(Deserialize)]
struct TextDelta {
    text: String,
}

#[derive(Deserialize)]
struct ImageDelta {
    data: String,
    mime_type: String,
}

enum Event {
    Text(u32, TextDelta),
    Image(u32, ImageDelta),
    Other(Box<[u8]>),
}

fn event(data: &[u8]) -> Result<Event, serde_json::Error> {
    let tag: EventTag = serde_json::from_slice(data)?;
    if tag.event_type == "step.delta" {
        let StepDelta { index, delta } = serde_json::from_slice(data)?;
        let tag: Tag = serde_json::from_str(delta.get())?;
        match &*tag.kind {
            "text" => return Ok(Event::Text(index, serde_json::from_str(delta.get())?)),
            "image" => return Ok(Event::Image(index, serde_json::from_str(delta.get())?)),
            _ => {}
        }
    }
    Ok(Event::Other(data.into()))
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
    content: Vec<Part<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
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
        while let Some(piece) = bytes.next().await {
            buffer.extend_from_slice(&piece?);
            while let Some(end) = memchr::memchr(b'\n', &buffer[seen..]).map(|at| seen + at) {
                let line = &buffer[from..end];
                if let Some(data) = line.strip_prefix(b"data: ")
                    && data != b"[DONE]"
                {
                    size += match event(data)? {
                        Event::Text(index, delta) => delta.text.len() + index as usize,
                        Event::Image(index, delta) => {
                            delta.data.len() + delta.mime_type.len() * index as usize
                        }
                        Event::Other(data) => data.len().min(1),
                    };
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
