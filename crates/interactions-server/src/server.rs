//! The server as a whole: put together from a configuration, embedded or serving.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use axum::{Extension, Router};
use interactions_agent::Agent;
use interactions_transport::guard::Guard;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::Engine;
use crate::error::{ServeError, StartError};
use crate::face::{self, Keys, OnSocket};
use crate::model::{Hosted, Model, Registry};
use crate::secrets::Vault;
use crate::store::{self, Store};

/// A server of the Interactions API.
///
/// It runs as soon as it is built; [`router`](Self::router) is the way in without a socket,
/// [`serve`](Self::serve) the way in over one. Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server {
    engine: Arc<Engine>,
    keys: Arc<Keys>,
}

impl Server {
    /// A server for this configuration.
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder { config, models: Vec::new(), hosted: BTreeMap::new(), store: None }
    }

    /// The HTTP face as an axum router, which is a tower service.
    pub fn router(&self) -> Router {
        face::router(Arc::clone(&self.engine), Arc::clone(&self.keys))
    }

    /// The HTTP face without its lock: every request is this tenant's, with or without a key.
    ///
    /// For programs that have the server inside and say themselves who may call. Never put it on
    /// a socket as it is.
    pub fn trusted_router(&self, tenant: impl Into<String>) -> Router {
        let keys = Keys::trusting(Arc::clone(&self.engine.store), tenant.into());
        face::router(Arc::clone(&self.engine), Arc::new(keys))
    }

    /// Opens the address of the configuration.
    ///
    /// # Errors
    /// [`StartError`] when the address cannot be listened on, or leads beyond this machine without keys.
    pub async fn bind(&self) -> Result<TcpListener, StartError> {
        let address = &self.engine.config.listen;
        let listener = TcpListener::bind(address.clone())
            .await
            .map_err(|error| StartError::new(format!("cannot listen on {address}: {error}")))?;
        let local = listener.local_addr().map_err(|error| StartError::new(error.to_string()))?;
        if self.keys.is_open() && !local.ip().is_loopback() {
            return Err(StartError::new(format!(
                "listening on {local} would let everyone in: add [auth] keys to the configuration, or listen on 127.0.0.1"
            )));
        }
        Ok(listener)
    }

    /// Serves until `shutdown` completes, then lets runs end for as long as the configuration says
    /// and hands over the rest.
    ///
    /// # Errors
    /// [`ServeError`] when connections can no longer be accepted.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let stop = CancellationToken::new();
        // Events are small and must not wait for the caller to acknowledge the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
        });
        let serving = axum::serve(listener, self.router().layer(Extension(OnSocket)))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut serving = Box::pin(serving.into_future());
        tokio::select! {
            ended = &mut serving => {
                self.close().await;
                return ended.map_err(ServeError);
            }
            () = shutdown => {}
        }
        tracing::info!("stopping: no new connections, running interactions may end");
        stop.cancel();
        // Connections go on being served while their runs end.
        let drained = async {
            self.engine.drain().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            ended = &mut serving => { ended.map_err(ServeError)?; self.engine.drain().await; }
            () = drained => {}
        }
        self.engine.store.close().await;
        Ok(())
    }

    /// Stops: lets runs end for a while, hands over the rest, closes the store.
    pub async fn close(&self) {
        self.engine.drain().await;
        self.engine.store.close().await;
    }

    /// The models that it knows, as patterns with a label each.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.engine.models().describe()
    }
}

/// Describes a [`Server`] beyond its configuration.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    config: Config,
    models: Vec<(String, Arc<dyn Model>)>,
    hosted: BTreeMap<String, Arc<dyn Model>>,
    store: Option<Arc<dyn Store>>,
}

impl ServerBuilder {
    /// Adds a model of your own for ids that match `pattern`, after the configured ones.
    pub fn model(mut self, pattern: impl Into<String>, model: impl Model) -> Self {
        self.models.push((pattern.into(), Arc::new(model)));
        self
    }

    /// Hosts a Rust agent: requests that name `id` as their `agent` are its tasks.
    ///
    /// What it thinks, calls and says are the steps of the interaction, which can be streamed,
    /// run in the background and cancelled like any other. Its tools run in this process. When
    /// that dies after the agent has called a tool, the interaction fails: nobody knows what the
    /// tool had done. Before, the agent begins again.
    pub fn agent(mut self, id: impl Into<String>, agent: Agent) -> Self {
        self.hosted.insert(id.into(), Arc::new(Hosted::new(agent)));
        self
    }

    /// Keeps interactions in this store instead of the configured database.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Opens the store and starts the engine. Needs a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// [`StartError`], which says what to change.
    pub async fn build(self) -> Result<Server, StartError> {
        let config = self.config;
        let mut models = Registry::new(&config.models, config.limits.event_bytes)?;
        for (pattern, model) in self.models {
            models.add(pattern, model);
        }
        for agent in &config.agents {
            if models.resolve(&agent.model).is_none() {
                return Err(StartError::new(format!(
                    "agent `{}` is based on `{}`, which is not among the models",
                    agent.id, agent.model
                )));
            }
        }
        let guard = Guard::new(&config.egress.allow)
            .map_err(|error| StartError::new(format!("`egress.allow`: {error}")))?;
        let egress = guard.transport().map_err(|error| StartError::new(error.to_string()))?;
        let store = match self.store {
            Some(store) => store,
            None => store::open(&config).await?,
        };
        let keys = Keys::open(&config.auth, Arc::clone(&store)).await?;
        let vault = match &config.secrets.key_env {
            Some(name) => Vault::from_env(name)?,
            None => Vault::from_file(&config.key_file()?)?,
        };
        let engine = Engine::new(config, store, models, self.hosted, vault, guard, egress);
        Ok(Server { engine, keys: Arc::new(keys) })
    }
}
