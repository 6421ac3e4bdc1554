//! Calls: values that describe one request until they are awaited.

use std::future::IntoFuture;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use interactions_transport::Timeouts;
use interactions_types::{CreateInteraction, EventId, Interaction, InteractionId, decode};

use crate::{Client, Error, EventStream};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// Creates an interaction. Await it for the whole, or take the [`stream`](Self::stream).
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Create {
    client: Client,
    request: CreateInteraction,
    timeouts: Timeouts,
}

impl Create {
    pub(crate) fn new(client: Client, request: CreateInteraction) -> Self {
        Self { client, request, timeouts: Timeouts::default() }
    }

    /// Gives up after this time. The service may go on with what it has begun.
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeouts = self.timeouts.with_total(limit);
        self
    }

    /// Asks for the answer as a stream of events.
    pub fn stream(self) -> CreateStream {
        CreateStream { call: self }
    }

    fn body(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&self.request).map_err(|error| Error::request(error.to_string()))
    }
}

impl IntoFuture for Create {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        async move {
            self.request.stream = None;
            let url = self.client.url(&["interactions"])?;
            let response = self
                .client
                .send(Method::POST, &url, JSON, Some(self.body()?), self.timeouts)
                .await?;
            interaction(&self.client, response).await
        }
        .boxed()
    }
}

/// Creates an interaction and streams its events.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct CreateStream {
    call: Create,
}

impl CreateStream {
    /// Gives up when no bytes arrive for this time.
    pub fn with_idle_timeout(mut self, limit: Duration) -> Self {
        self.call.timeouts = self.call.timeouts.with_idle(limit);
        self
    }
}

impl IntoFuture for CreateStream {
    type Output = Result<EventStream, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let mut call = self.call;
        async move {
            call.request.stream = Some(true);
            let url = call.client.url(&["interactions"])?;
            let response = call
                .client
                .send(Method::POST, &url, EVENTS, Some(call.body()?), call.timeouts)
                .await?;
            EventStream::open(response)
        }
        .boxed()
    }
}

/// Reads a stored interaction. Await it for its state, or take the [`stream`](Self::stream).
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Get {
    client: Client,
    id: InteractionId,
    include_input: bool,
    timeouts: Timeouts,
}

impl Get {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        Self { client, id, include_input: false, timeouts: Timeouts::default() }
    }

    /// Also asks for the input (`include_input`).
    pub fn include_input(mut self) -> Self {
        self.include_input = true;
        self
    }

    /// Gives up after this time.
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeouts = self.timeouts.with_total(limit);
        self
    }

    /// Asks for the events from the beginning, then live until the end.
    pub fn stream(self) -> GetStream {
        GetStream { call: self, last_event_id: None }
    }
}

impl IntoFuture for Get {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let mut url = self.client.url(&["interactions", self.id.as_str()])?;
            // Defaults are left out: some deployments refuse `stream=false`.
            if self.include_input {
                url.query_pairs_mut().append_pair("include_input", "true");
            }
            let response = self.client.send(Method::GET, &url, JSON, None, self.timeouts).await?;
            interaction(&self.client, response).await
        }
        .boxed()
    }
}

/// Streams the events of a stored interaction.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct GetStream {
    call: Get,
    last_event_id: Option<EventId>,
}

impl GetStream {
    /// Begins after this event instead of at the beginning.
    pub fn last_event_id(mut self, id: impl Into<EventId>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// Gives up when no bytes arrive for this time.
    pub fn with_idle_timeout(mut self, limit: Duration) -> Self {
        self.call.timeouts = self.call.timeouts.with_idle(limit);
        self
    }
}

impl IntoFuture for GetStream {
    type Output = Result<EventStream, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let call = self.call;
            let mut url = call.client.url(&["interactions", call.id.as_str()])?;
            url.query_pairs_mut().append_pair("stream", "true");
            if let Some(last) = &self.last_event_id {
                url.query_pairs_mut().append_pair("last_event_id", last.as_str());
            }
            let response = call.client.send(Method::GET, &url, EVENTS, None, call.timeouts).await?;
            EventStream::open(response)
        }
        .boxed()
    }
}

/// Stops a running interaction.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Cancel {
    client: Client,
    id: InteractionId,
}

impl Cancel {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        Self { client, id }
    }
}

impl IntoFuture for Cancel {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let url = self.client.url(&["interactions", self.id.as_str(), "cancel"])?;
            let response =
                self.client.send(Method::POST, &url, JSON, None, Timeouts::default()).await?;
            interaction(&self.client, response).await
        }
        .boxed()
    }
}

/// Erases a stored interaction.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Delete {
    client: Client,
    id: InteractionId,
}

impl Delete {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        Self { client, id }
    }
}

impl IntoFuture for Delete {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let url = self.client.url(&["interactions", self.id.as_str()])?;
            self.client.send(Method::DELETE, &url, JSON, None, Timeouts::default()).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn interaction(
    client: &Client,
    response: http::Response<interactions_transport::Body>,
) -> Result<Interaction, Error> {
    let bytes = client.reply(response).await?;
    decode(&bytes).map_err(|error| Error::decode(&error, &bytes))
}
