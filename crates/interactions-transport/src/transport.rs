//! The seam: one method from request to response.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Body, TransportError};

/// Sends one HTTP request and gives back its response.
///
/// An HTTP status is data: a transport answers `Ok` for 404 and 500 alike,
/// and `Err` only when no complete response head arrived.
/// The response body is read later and reports its own failures.
///
/// What a request needs beyond HTTP rides in its extensions (see [`Timeouts`](crate::Timeouts));
/// a transport uses what it understands and ignores the rest, so the trait need not grow.
///
/// # Cancellation
/// Dropping the future gives up the request; dropping the response body gives up the rest of it.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute.
    ///
    /// # Errors
    /// [`TransportError`], whose kind says whether the request may have reached the server.
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError>;
}

/// A transport that is cheap to clone and hides which one it is.
#[derive(Clone, Debug)]
pub struct SharedTransport(Arc<dyn Transport>);

impl SharedTransport {
    /// Shares a transport.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }
}

#[async_trait]
impl Transport for SharedTransport {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        self.0.send(request).await
    }
}

const _: fn(&dyn Transport) = |_| {};
