//! One kept connection to the server that is measured.

use std::error::Error;
use std::io;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: String,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address: address.to_owned() })
    }

    pub async fn get(&mut self, path: &str) -> Result<Bytes, Box<dyn Error>> {
        let response = self.send("GET", path, Bytes::new()).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    pub async fn create(&mut self, path: &str, body: &Value) -> Result<Value, Box<dyn Error>> {
        let response = self.send("POST", path, body.to_string().into()).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&bytes)?)
    }

    pub async fn stream(
        &mut self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Events, Box<dyn Error>> {
        let (method, body) = match body {
            Some(body) => ("POST", body.to_string().into()),
            None => ("GET", Bytes::new()),
        };
        let response = self.send(method, path, body).await?;
        Ok(Events { body: response.into_body(), seen: Vec::new() })
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Box<dyn Error>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", "application/json")
            .header("api-revision", "2026-05-20")
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body);
            return Err(io::Error::other(format!("{method} {path}: {status}: {text}")).into());
        }
        Ok(response)
    }
}

/// An event stream, looked through for names of events.
pub struct Events {
    body: Incoming,
    seen: Vec<u8>,
}

impl Events {
    /// Reads until `needle` has come, and says how often `counted` came up to now.
    pub async fn until(&mut self, needle: &str) -> Result<(), Box<dyn Error>> {
        let mut from = 0;
        loop {
            let at = from.min(self.seen.len());
            if find(&self.seen[at..], needle.as_bytes()) {
                return Ok(());
            }
            from = self.seen.len().saturating_sub(needle.len());
            let frame = self.body.frame().await.ok_or_else(|| format!("no {needle:?} came"))??;
            if let Ok(data) = frame.into_data() {
                self.seen.extend_from_slice(&data);
            }
        }
    }

    /// Everything up to the end, as text.
    pub async fn rest(mut self) -> Result<String, Box<dyn Error>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                self.seen.extend_from_slice(&data);
            }
        }
        Ok(String::from_utf8(self.seen)?)
    }
}

fn find(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
