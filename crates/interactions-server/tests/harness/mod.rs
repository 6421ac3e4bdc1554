//! A server in this process, reached without a socket.
#![allow(dead_code, reason = "each test file uses its own part of the harness")]
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by the tests, where a failed set-up must end the test"
)]

pub mod hooked;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use interactions_client::Client;
use interactions_server::{Adapter, Config, ModelConfig, Server};
use interactions_transport::{Body, SharedTransport, TowerTransport, Transport};
use interactions_types::{Interaction, InteractionId};
use serde_json::Value;

pub struct Harness {
    pub server: Server,
    pub transport: SharedTransport,
    pub client: Client,
    dir: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

pub fn directory() -> PathBuf {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("interactions-server-test-{}-{number}", std::process::id()))
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::at(directory(), config).await
    }

    /// A server whose model `m` is a chat completions server.
    pub async fn with_chat(base_url: &str) -> Self {
        let mut config = Config::default();
        let mut model = ModelConfig::new("m", Adapter::Openai);
        model.base_url = Some(base_url.to_owned());
        config.models.push(model);
        Self::with(config).await
    }

    /// A server on an existing data directory, which the last harness on it removes.
    pub async fn at(dir: PathBuf, mut config: Config) -> Self {
        config.data_dir = Some(dir.clone());
        let server = Server::builder(config).build().await.unwrap();
        Self::around(server, dir)
    }

    /// The harness of a server that was built by the test.
    pub fn around(server: Server, dir: PathBuf) -> Self {
        let transport = SharedTransport::new(TowerTransport::new(server.router()));
        let client = Client::builder()
            .base_url("http://in-process")
            .transport(transport.clone())
            .build()
            .unwrap();
        Self { server, transport, client, dir }
    }

    pub fn directory(&self) -> PathBuf {
        self.dir.clone()
    }

    /// Sends raw HTTP and returns status and JSON body.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://in-process{path}"))
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        let response = self.transport.send(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect(usize::MAX).await.unwrap();
        (
            status,
            serde_json::from_slice(&bytes)
                .unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        )
    }

    pub async fn post(&self, body: Value) -> (u16, Value) {
        self.raw("POST", "/v1/interactions", body.to_string()).await
    }

    /// Polls until the interaction no longer runs.
    pub async fn wait(&self, id: &InteractionId) -> Interaction {
        for _ in 0..1000 {
            let interaction = self.client.get(id).await.unwrap();
            if !interaction.status.is_running() {
                return interaction;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} runs for ever");
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
