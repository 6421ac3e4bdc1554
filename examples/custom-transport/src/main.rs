//! Your own way to send requests: here one that counts them and passes them on.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-custom-transport
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use interactions_client::{Client, SharedTransport, Transport};
use interactions_server::{Config, Server};
use interactions_transport::{Body, TowerTransport, TransportError};
use interactions_types::CreateInteraction;

/// Any transport inside, a count and a clock around it.
#[derive(Debug)]
struct Counting<T> {
    inner: T,
    count: Arc<AtomicUsize>,
}

#[async_trait]
impl<T: Transport> Transport for Counting<T> {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let (what, began) =
            (format!("{} {}", request.method(), request.uri().path()), Instant::now());
        let response = self.inner.send(request).await?;
        // A status is data here: 404 is a response like any other.
        println!("{what} → {} in {:?}", response.status(), began.elapsed());
        Ok(response)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir =
        Some(std::env::temp_dir().join(format!("interactions-example-{}", std::process::id())));
    let server = Server::builder(config).build().await?;
    let count = Arc::new(AtomicUsize::new(0));
    let transport =
        Counting { inner: TowerTransport::new(server.router()), count: Arc::clone(&count) };
    let client = Client::builder()
        .base_url("http://in-process")
        .transport(SharedTransport::new(transport))
        .build()?;

    let interaction = client.create(CreateInteraction::new("scripted", "Hello!")).await?;
    client.delete(&interaction.id).await?;
    let gone = client.get(&interaction.id).await.expect_err("it was deleted");
    println!("{gone}");
    println!("{} requests", count.load(Ordering::Relaxed));
    Ok(())
}
