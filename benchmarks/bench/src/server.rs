//! A server that says what was rendered beforehand, so that it is never what is measured.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const UNARY: &str = r#"{"id":"v1_x","object":"interaction","status":"completed","model":"m","created":"2026-11-01T00:00:00Z","updated":"2026-11-01T00:00:01Z","steps":[{"type":"thought","signature":"c2lnbmF0dXJlLWxvbmctZW5vdWdoLXRvLWJlLXJlYWwtc2lnbmF0dXJlLWxvbmctZW5vdWdoLXRvLWJlLXJlYWw=","summary":[{"type":"text","text":"The user wants to know why the sky is blue, so Rayleigh scattering has to be explained in short."}]},{"type":"model_output","content":[{"type":"text","text":"The sky is blue because air scatters short waves of light more than long ones. Sunlight holds all colours; blue is sent in every direction, and so it reaches us from the whole sky, while red goes straight on. At dusk the way through the air is longer, the blue is gone before it reaches us, and red remains."}]}],"usage":{"total_tokens":120,"total_input_tokens":12,"total_output_tokens":80,"total_thought_tokens":28,"input_tokens_by_modality":[{"modality":"text","tokens":12}],"output_tokens_by_modality":[{"modality":"text","tokens":80}]}}"#;

/// Starts it on a port that the system picks.
pub async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let image: Arc<str> = image().into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let image = Arc::clone(&image);
            tokio::spawn(async move {
                // A client that hangs up is the end of its connection.
                let _ = serve(stream, &image).await;
            });
        }
    });
    Ok(address)
}

async fn serve(mut stream: TcpStream, image: &str) -> io::Result<()> {
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
        buffer.drain(..head + length);
        let mut path = text.split_whitespace().nth(1).unwrap_or_default().split('/').skip(1);
        let task = path.next().unwrap_or_default().to_owned();
        let count = path.next().and_then(|count| count.parse().ok()).unwrap_or(1);
        match task.as_str() {
            "stream" => answer(&mut stream, "text/event-stream", &texts(count)).await?,
            "image" => answer(&mut stream, "text/event-stream", image).await?,
            _ => answer(&mut stream, "application/json", UNARY).await?,
        }
    }
}

async fn answer(stream: &mut TcpStream, kind: &str, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    if body.len() < 16_384 {
        return stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

fn begin() -> String {
    concat!(
        "event: interaction.created\ndata: {\"interaction\":{\"id\":\"v1_x\",\"status\":\"in_progress\",\"object\":\"interaction\",\"model\":\"m\"},\"event_type\":\"interaction.created\"}\n\n",
        "event: step.start\ndata: {\"index\":0,\"step\":{\"type\":\"model_output\"},\"event_type\":\"step.start\"}\n\n",
    )
    .to_owned()
}

const END: &str = concat!(
    "event: step.stop\ndata: {\"index\":0,\"event_type\":\"step.stop\"}\n\n",
    "event: interaction.completed\ndata: {\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\",\"object\":\"interaction\",\"model\":\"m\",\"usage\":{\"total_tokens\":9}},\"event_type\":\"interaction.completed\"}\n\n",
    "event: done\ndata: [DONE]\n\n",
);

fn texts(count: usize) -> String {
    let mut body = begin();
    for number in 0..count {
        let _ = write!(
            body,
            "event: step.delta\ndata: {{\"index\":0,\"delta\":{{\"text\":\"{number:>23} \",\"type\":\"text\"}},\"event_type\":\"step.delta\"}}\n\n"
        );
    }
    body + END
}

fn image() -> String {
    let data = "QUJD".repeat(8 * 1024 * 1024 / 4);
    let mut body = begin();
    let _ = write!(
        body,
        "event: step.delta\ndata: {{\"index\":0,\"delta\":{{\"data\":\"{data}\",\"mime_type\":\"image/png\",\"type\":\"image\"}},\"event_type\":\"step.delta\"}}\n\n"
    );
    body + END
}
