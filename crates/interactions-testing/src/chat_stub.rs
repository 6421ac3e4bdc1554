//! A stand-in for a server of chat completions, with the manners of real ones.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Whose manners a [`ChatStub`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Thoughts as `reasoning_content`, tool calls in fragments, usage in a late chunk of its own.
    Vllm,
    /// Thoughts as `reasoning`, whole tool calls without ids and numbers, arguments as an object, no usage.
    Ollama,
    /// Answers stream requests with plain JSON.
    Plain,
    /// Thoughts inside the text, between `<think>` and `</think>`. Knows neither `stream_options`
    /// nor `json_schema`, and says so.
    Bare,
    /// Refuses everything with this status.
    Broken(u16),
    /// Begins to answer and closes the connection.
    CutOff,
    /// Answers with something else entirely.
    Garbage,
}

/// A chat completions server on a loopback port.
///
/// It answers sensibly enough for a conversation: the newest tool results if there are any,
/// a call of the first tool when the user says its name, else what the user said.
/// Dropping it closes the port.
#[derive(Debug)]
pub struct ChatStub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl ChatStub {
    /// Starts a stub. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn start(dialect: Dialect) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    // A caller that hangs up is part of what is tested.
                    let _ = serve(stream, dialect, &seen).await;
                });
            }
        });
        Ok(Self { address, requests, task })
    }

    /// The base URL to configure, with its version.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The request bodies so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ChatStub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, dialect: Dialect, seen: &Mutex<Vec<Value>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let stream = stream.get_mut();
    match dialect {
        Dialect::Broken(status) => {
            whole(stream, status, &json!({"error": {"message": "the stub refuses"}}).to_string())
                .await
        }
        Dialect::Garbage => whole(stream, 200, "<html>not what you asked for</html>").await,
        Dialect::Plain => whole(stream, 200, &plain(&answer(&request)).to_string()).await,
        Dialect::CutOff => {
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": "half an ans"}}]});
            events(stream, &[chunk], false).await
        }
        Dialect::Bare => match unknown_to_bare(&request) {
            Some(field) => {
                let error = json!({"error": format!("unknown argument `{field}`")});
                whole(stream, 400, &error.to_string()).await
            }
            None => events(stream, &bare(&answer(&request)), true).await,
        },
        Dialect::Vllm => events(stream, &vllm(&answer(&request)), true).await,
        Dialect::Ollama => events(stream, &ollama(&answer(&request)), true).await,
    }
}

async fn whole(stream: &mut TcpStream, status: u16, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Stub\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// Sends events in pieces that respect no boundary; without `done` the connection just closes.
async fn events(stream: &mut TcpStream, chunks: &[Value], done: bool) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut transcript: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    if done {
        transcript.push_str("data: [DONE]\n\n");
    }
    for piece in transcript.as_bytes().chunks(61) {
        stream.write_all(piece).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}

/// What the stub has to say.
enum Answer {
    Text(String),
    Calls(Vec<(String, Value)>),
}

fn answer(request: &Value) -> Answer {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |message: &Value| match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    };
    let results: Vec<String> =
        messages.iter().rev().take_while(|message| message["role"] == "tool").map(text).collect();
    if !results.is_empty() {
        return Answer::Text(format!(
            "The tools said: {}",
            results.into_iter().rev().collect::<Vec<_>>().join(" and ")
        ));
    }
    let said = messages.last().map(text).unwrap_or_default();
    let calls: Vec<(String, Value)> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .filter(|name| said.contains(name))
        .map(|name| (name.to_owned(), json!({"query": said})))
        .collect();
    if calls.is_empty() { Answer::Text(format!("You said: {said}")) } else { Answer::Calls(calls) }
}

fn delta(delta: &Value) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn vllm(answer: &Answer) -> Vec<Value> {
    let mut chunks = vec![
        delta(&json!({"role": "assistant", "content": ""})),
        delta(&json!({"reasoning_content": "Let me "})),
        delta(&json!({"reasoning_content": "think."})),
    ];
    match answer {
        Answer::Text(text) => {
            chunks.extend(text.split_inclusive(' ').map(|piece| delta(&json!({"content": piece}))));
            chunks.push(finish("stop"));
        }
        Answer::Calls(calls) => {
            for (index, (name, arguments)) in calls.iter().enumerate() {
                let first = json!({"index": index, "id": format!("chatcmpl-tool-{index}"), "type": "function",
                    "function": {"name": name, "arguments": ""}});
                chunks.push(delta(&json!({"tool_calls": [first]})));
                let text = arguments.to_string();
                let middle =
                    text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
                for piece in [&text[..middle], &text[middle..]] {
                    chunks.push(delta(&json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})));
                }
            }
            chunks.push(finish("tool_calls"));
        }
    }
    chunks.push(json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17,
        "completion_tokens_details": {"reasoning_tokens": 2}}}));
    chunks
}

fn ollama(answer: &Answer) -> Vec<Value> {
    let mut chunks = vec![delta(&json!({"role": "assistant", "content": "", "reasoning": "Hm."}))];
    match answer {
        Answer::Text(text) => chunks.push(delta(&json!({"content": text}))),
        Answer::Calls(calls) => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|(name, arguments)| json!({"type": "function", "function": {"name": name, "arguments": arguments}}))
                .collect();
            chunks.push(delta(&json!({"content": "", "tool_calls": calls})));
        }
    }
    chunks.push(finish("stop"));
    chunks
}

fn unknown_to_bare(request: &Value) -> Option<&'static str> {
    if request.get("stream_options").is_some() {
        return Some("stream_options");
    }
    (request["response_format"]["type"] == "json_schema").then_some("response_format.json_schema")
}

fn bare(answer: &Answer) -> Vec<Value> {
    let text = match answer {
        Answer::Text(text) => text,
        Answer::Calls(_) => return ollama(answer),
    };
    let whole = format!("<think>\nHm.\n</think>\n\n{text}");
    let mut chunks: Vec<Value> =
        whole.split_inclusive(['k', ' ']).map(|piece| delta(&json!({"content": piece}))).collect();
    chunks.push(finish("stop"));
    chunks
}

fn plain(answer: &Answer) -> Value {
    let message = match answer {
        Answer::Text(text) => json!({"role": "assistant", "content": text}),
        Answer::Calls(calls) => {
            let calls: Vec<Value> = calls
                .iter()
                .enumerate()
                .map(|(index, (name, arguments))| {
                    json!({"id": format!("call_{index}"), "type": "function",
                        "function": {"name": name, "arguments": arguments.to_string()}})
                })
                .collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls})
        }
    };
    json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
}
