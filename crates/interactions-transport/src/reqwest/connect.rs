//! The limit on connecting that comes with one request.
//!
//! reqwest knows one connect timeout per client, and a client per timeout would be a pool per
//! timeout. But hyper begins to connect while it polls the request that needs the connection,
//! so a task-local value set around that request is seen by a layer around the connector.

use std::error::Error;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tower::{Layer, Service};

type BoxError = Box<dyn Error + Send + Sync>;

tokio::task_local! {
    static LIMIT: Option<Duration>;
}

/// Runs a request whose connection, if it needs a new one, must stand within `limit`.
pub(super) async fn limited<F: Future>(limit: Option<Duration>, request: F) -> F::Output {
    LIMIT.scope(limit, request).await
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LimitLayer;

#[derive(Clone, Debug)]
pub(super) struct Limited<S>(S);

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(&self, connector: S) -> Limited<S> {
        Limited(connector)
    }
}

impl<S, R> Service<R> for Limited<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        // Read now: later the connection may go on in a task of its own.
        let limit = LIMIT.try_with(|limit| *limit).ok().flatten();
        let connection = self.0.call(target);
        match limit {
            None => Box::pin(connection),
            Some(limit) => Box::pin(async move {
                tokio::time::timeout(limit, connection).await.map_err(|_| TooSlow(limit))?
            }),
        }
    }
}

#[derive(Debug)]
struct TooSlow(Duration);

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection within {:?}", self.0)
    }
}

impl Error for TooSlow {}
