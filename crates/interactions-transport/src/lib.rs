//! One HTTP trait under everything that speaks the Interactions API.
//!
//! The network, recorded traffic, a scripted double, a proxy and an in-process server
//! are all a [`Transport`]: one method from request to response.
//! The crate knows nothing of models; it moves bytes and frames them as server-sent events.
//!
//! | feature | gives |
//! |---|---|
//! | `reqwest` | [`ReqwestTransport`]: the network, TLS by rustls |
//! | `tower` | [`TowerTransport`]: any cloneable tower service, an axum router for example |
//! | `guard` | [`guard::Guard`]: egress that refuses private addresses |
//! | `fs` | [`Body::from_file`] and [`Body::save`]: uploads and downloads in bounded memory |
//! | `tracing` | [`Traced`]: one span for each exchange |
//! | `retry` | [`Retried`]: requests sent again where that does no harm; [`pacing`] |
//! | `record` | [`Recorder`] and [`Replayer`]: exchanges into a file or memory, and out of it |
//!
//! Features only add. Middleware is a [`Transport`] around a transport, nothing more.
//!
//! # Without a runtime, and in the browser
//!
//! Without features there is no runtime in here: the trait, [`Body`], [`sse`] and the errors
//! need neither tokio, a socket nor a clock, and nor does `record`.
//! So they are meant to work on `wasm32-unknown-unknown`, with a transport of your own over
//! `fetch` (whose future has to be made `Send`). This is not verified: no check of ours builds
//! for wasm32. `reqwest`, `guard` and `fs` need a native target, `tracing` and `retry` a clock.
//!
//! # Writing a transport
//!
//! ```
//! use async_trait::async_trait;
//! use interactions_transport::{Body, SharedTransport, Transport, TransportError};
//!
//! /// Answers every request with its own path.
//! #[derive(Debug)]
//! struct Mirror;
//!
//! #[async_trait]
//! impl Transport for Mirror {
//!     async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, TransportError> {
//!         Ok(http::Response::new(Body::from(request.uri().path().to_owned())))
//!     }
//! }
//!
//! let transport = SharedTransport::new(Mirror);
//! # drop(transport);
//! ```

mod body;
mod error;
#[cfg(any(feature = "record", feature = "retry", feature = "tracing"))]
mod middleware;
mod redact;
mod timeouts;
mod transport;

pub mod sse;

#[cfg(feature = "fs")]
mod fs;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(feature = "retry")]
pub mod pacing;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;

pub use body::Body;
pub use error::{TransportError, TransportErrorKind};
pub use redact::redact_url;
pub use timeouts::Timeouts;
pub use transport::{SharedTransport, Transport};

#[cfg(feature = "retry")]
pub use middleware::Retried;
#[cfg(feature = "tracing")]
pub use middleware::Traced;
#[cfg(feature = "record")]
pub use middleware::{Recorder, Recording, RecordingError, Replayer};

#[cfg(feature = "reqwest")]
pub use crate::reqwest::{ReqwestTransport, ReqwestTransportBuilder};
#[cfg(feature = "tower")]
pub use crate::tower::TowerTransport;
