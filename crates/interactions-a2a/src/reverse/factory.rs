//! Makes transports of cards, for the official client.

use std::sync::Arc;

use a2a_client::factory::A2AClientFactoryBuilder;
use a2a_client::{Transport, TransportFactory};
use async_trait::async_trait;
use interactions_client::Client;

use super::card::{ALIAS, BINDING, base_request};
use super::error::refusal;
use super::{InteractionsTransport, Options};
use crate::wire::{A2AError, AgentCard, AgentInterface};

/// Makes an [`InteractionsTransport`] of every card that names the Interactions API.
///
/// The given [`Client`] decides where requests go and with which credentials, whatever address a
/// card has. But cards say what is asked for, tools included: take only such as you trust.
#[derive(Clone, Debug)]
#[must_use]
pub struct InteractionsTransportFactory {
    client: Client,
    binding: &'static str,
    options: Options,
}

impl InteractionsTransportFactory {
    /// A factory for the binding [`BINDING`].
    pub fn new(client: Client) -> Self {
        Self { client, binding: BINDING, options: Options::default() }
    }

    /// The same for the binding [`ALIAS`], which older cards have.
    pub fn for_alias(mut self) -> Self {
        self.binding = ALIAS;
        self
    }

    /// See [`InteractionsTransport::chain_terminal_tasks`].
    pub fn chain_terminal_tasks(mut self, chained: bool) -> Self {
        self.options.chain_terminal_tasks = chained;
        self
    }

    /// See [`InteractionsTransport::remembered_contexts`].
    pub fn remembered_contexts(mut self, contexts: usize) -> Self {
        self.options.contexts = contexts;
        self
    }

    /// See [`InteractionsTransport::thoughts`].
    pub fn thoughts(mut self, told: bool) -> Self {
        self.options.thoughts = told;
        self
    }

    /// Makes it known to the official client, under both names of the binding.
    ///
    /// A builder that was not told `no_defaults()` makes transports of the official client's own,
    /// and panics when the process has no provider of cryptography for them.
    #[must_use]
    pub fn register(self, builder: A2AClientFactoryBuilder) -> A2AClientFactoryBuilder {
        let alias = self.clone().for_alias();
        builder.register(Arc::new(self)).register(Arc::new(alias))
    }
}

#[async_trait]
impl TransportFactory for InteractionsTransportFactory {
    fn protocol(&self) -> &str {
        self.binding
    }

    async fn create(
        &self,
        card: &AgentCard,
        _iface: &AgentInterface,
    ) -> Result<Box<dyn Transport>, A2AError> {
        let request = base_request(card).map_err(|fault| refusal(&fault))?;
        let client = self.client.clone();
        let transport = InteractionsTransport::with_options(client, request, self.options);
        Ok(Box::new(transport.with_card(card)))
    }
}
