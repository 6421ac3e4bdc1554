//! A chat completions server that says what it is told to, so that it is never what is measured.
//!
//! The last prompt says what: `say N` is N deltas of 24 bytes, `wait N` the same after [`Stub::release`].

use std::fmt::Write as _;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Stub {
    pub address: String,
    gate: watch::Sender<bool>,
}

impl Stub {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (gate, opened) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let opened = opened.clone();
                tokio::spawn(async move {
                    // A client that hangs up is the end of its connection.
                    let _ = serve(stream, opened).await;
                });
            }
        });
        Ok(Self { address, gate })
    }

    /// Lets go of what waits.
    pub fn release(&self) {
        self.gate.send_replace(true);
    }

    /// Makes new ones wait again.
    pub fn hold(&self) {
        self.gate.send_replace(false);
    }
}

async fn serve(mut stream: TcpStream, mut opened: watch::Receiver<bool>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body: Value = serde_json::from_slice(&buffer[head..head + length]).unwrap_or_default();
        buffer.drain(..head + length);
        let (waits, count) = told(&body);
        if body["stream"].as_bool() == Some(true) {
            let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(begin.as_bytes()).await?;
            write_chunk(&mut stream, &deltas(0..count.min(1))).await?;
            if waits {
                // The sender lives as long as the program.
                let _ = opened.wait_for(|open| *open).await;
            }
            for first in (1..count).step_by(100) {
                write_chunk(&mut stream, &deltas(first..count.min(first + 100))).await?;
            }
            write_chunk(&mut stream, END).await?;
            stream.write_all(b"0\r\n\r\n").await?;
        } else {
            let text: String = (0..count).map(|number| format!("{number:>23} ")).collect();
            let answer = format!(
                r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":12,"completion_tokens":80,"total_tokens":92}}}}"#
            );
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + &answer).as_bytes()).await?;
        }
    }
}

/// Whether to wait, and how many deltas to say.
fn told(body: &Value) -> (bool, usize) {
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    let prompt = match last.map(|last| &last["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(parts) => parts[0]["text"].as_str().unwrap_or_default().to_owned(),
        None => String::new(),
    };
    let mut words = prompt.split_whitespace();
    let waits = words.next() == Some("wait");
    (waits, words.next().and_then(|count| count.parse().ok()).unwrap_or(1))
}

fn deltas(numbers: std::ops::Range<usize>) -> String {
    let mut body = String::new();
    for number in numbers {
        let _ = write!(
            body,
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{number:>23} \"}},\"finish_reason\":null}}]}}\n\n"
        );
    }
    body
}

const END: &str = concat!(
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":80,\"total_tokens\":92}}\n\n",
    "data: [DONE]\n\n",
);

async fn write_chunk(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await
}
