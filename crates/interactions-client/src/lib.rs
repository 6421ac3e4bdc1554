//! A client for the Interactions API, against Google's service or any server that speaks it.
//!
//! ```
//! use interactions_client::{Client, SharedTransport};
//! # use interactions_testing::replay;
//!
//! # let rt = tokio::runtime::Builder::new_current_thread().build()?;
//! # rt.block_on(async {
//! # let transport = replay([r#"{"id":"v1_x","status":"completed","steps":[
//! #     {"type":"model_output","content":[{"type":"text","text":"Rayleigh scattering."}]}]}"#]);
//! // `Client::from_env()?` would talk to Google with the key in GEMINI_API_KEY.
//! let client = Client::builder().api_key("test").transport(transport).build()?;
//!
//! let request = interactions_types::CreateInteraction::new("gemini-3.8-flash", "Why is the sky blue?");
//! let interaction = client.create(request).await?;
//! assert_eq!(interaction.output_text(), "Rayleigh scattering.");
//! # Ok::<(), interactions_client::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Calls are values: [`Client::create`] gives a [`Create`] that can be awaited at once,
//! limited in time, or turned into a [stream](Create::stream) of events.
//! Dropping a call or a stream gives it up.
//!
//! What goes wrong on the way is mended where that is safe: requests are
//! [sent again](Backoff), [streams](EventStream) take up where they broke, answers that were cut
//! for length [go on](Create::automatic_continuation). What cannot be mended is an [`Error`].
//!
//! | feature | gives |
//! |---|---|
//! | `reqwest` (default) | the network; without it every client brings its own [`Transport`] |
//! | `webhook` | verification of webhooks, in the module `webhook` |
//! | `tracing` | spans with OpenTelemetry's `gen_ai.*` fields |
//!
//! Waits use tokio's timer, so calls need a tokio runtime with time enabled.

mod auth;
mod builder;
mod call;
mod client;
mod continuation;
mod create;
mod error;
mod exchange;
mod frames;
mod get;
pub mod guide;
mod legacy;
mod list;
mod options;
mod reply;
pub mod resources;
mod retry;
mod stream;
mod telemetry;
mod vertex;
mod wait;
mod watch;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use auth::{AccessToken, TokenError, TokenProvider};
pub use builder::ClientBuilder;
pub use call::Call;
pub use client::Client;
pub use continuation::Checkpoint;
pub use create::{Create, CreateStream};
pub use error::{Error, ErrorKind};
pub use get::{Get, GetStream};
pub use list::{InteractionPage, List, Listing, Page};
pub use reply::Reply;
pub use retry::{Backoff, Failure, RetryBudget, RetryPolicy};
pub use stream::EventStream;
pub use wait::Wait;
pub use watch::{Update, UpdateStream, Watch};

#[doc(no_inline)]
pub use interactions_transport::{SharedTransport, Timeouts, Transport, TransportErrorKind};
