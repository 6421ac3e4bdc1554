//! Feature `tower`: any tower service as a transport.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::BodyDataStream;
use tower::{Service, ServiceExt};

use crate::{Body, Transport, TransportError, TransportErrorKind};

/// Sends requests into a tower service instead of a network.
///
/// With the router of an in-process server this makes a client that needs no socket.
#[derive(Clone)]
pub struct TowerTransport<S>(S);

impl<S> TowerTransport<S> {
    /// Takes a service; each request is served by a clone of it.
    pub fn new(service: S) -> Self {
        Self(service)
    }
}

impl<S> fmt::Debug for TowerTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl<S, B> Transport for TowerTransport<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let response = self
            .0
            .clone()
            .oneshot(request)
            .await
            .map_err(|error| TransportError::new(TransportErrorKind::Other, error))?;
        Ok(response.map(|body| {
            Body::stream(
                BodyDataStream::new(body)
                    .map_err(|error| TransportError::new(TransportErrorKind::Interrupted, error)),
            )
        }))
    }
}
