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
//! The crate's one feature, `reqwest` (on by default), is the network.
//! Without it every client brings its own [`Transport`].

mod call;
mod client;
mod error;
mod list;
mod stream;

pub use call::{Cancel, Create, CreateStream, Delete, Get, GetStream};
pub use client::{ApiKey, Client, ClientBuilder};
pub use error::{Error, ErrorKind};
pub use list::{InteractionPage, List};
pub use stream::EventStream;

#[doc(no_inline)]
pub use interactions_transport::{SharedTransport, Transport};
