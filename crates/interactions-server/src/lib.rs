//! A self-hosted server of the Interactions API for any model.
//!
//! One engine between three seams: a [`Model`](model::Model) takes a turn and gives step events,
//! a [`Store`](store::Store) keeps interactions and their event logs, and the HTTP face speaks
//! the wire so exactly that Google's own SDKs work unmodified.
//!
//! How to run it: [`guide`].
//!
//! ```
//! use interactions_client::Client;
//! use interactions_server::{Config, Server};
//! use interactions_transport::{SharedTransport, TowerTransport};
//! use interactions_types::CreateInteraction;
//!
//! # let dir = std::env::temp_dir().join(format!("interactions-doc-{}", std::process::id()));
//! # let rt = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # rt.block_on(async {
//! let mut config = Config::default();
//! config.data_dir = Some(dir.clone());
//! let server = Server::builder(config).build().await?;
//!
//! // No socket: the client calls into the router.
//! let client = Client::builder()
//!     .base_url("http://in-process")
//!     .transport(SharedTransport::new(TowerTransport::new(server.router())))
//!     .build()?;
//! let interaction = client.create(CreateInteraction::new("scripted", "Hello!")).await?;
//! assert!(interaction.output_text().contains("Hello!"));
//! server.close().await;
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod config;
mod coverage;
mod engine;
mod error;
mod face;
mod metrics;
mod openapi;
mod secrets;
mod server;
mod webhooks;

pub mod guide;
pub mod model;
pub mod store;

pub use config::{
    A2aConfig, Adapter, AgentConfig, AuthConfig, BackgroundConfig, Config, EgressConfig, KeyConfig,
    LimitsConfig, ModelConfig, RetentionConfig, SecretsConfig, ShutdownConfig, WebhooksConfig,
};
pub use error::{ServeError, StartError};
pub use server::{Server, ServerBuilder};
