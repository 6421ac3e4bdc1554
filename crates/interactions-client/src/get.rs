//! Reading stored interactions.

use std::future::IntoFuture;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use interactions_types::{EventId, Interaction, InteractionId};

use crate::exchange::{Deadline, Draft};
use crate::frames::expect_events;
use crate::options::{Options, call_options};
use crate::reply::Reply;
use crate::stream::{Route, events_url};
use crate::telemetry::Span;
use crate::{Client, Error, EventStream, legacy};

/// Reads a stored interaction. Await it for its state, or take the [`stream`](Self::stream).
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Get {
    client: Client,
    id: InteractionId,
    include_input: bool,
    options: Options,
}

call_options!(Get);

impl Get {
    pub(crate) fn new(client: Client, id: InteractionId) -> Self {
        let options = client.options();
        Self { client, id, include_input: false, options }
    }

    /// Also asks for the input (`include_input`).
    pub fn include_input(mut self) -> Self {
        self.include_input = true;
        self
    }

    /// Asks for the events from the beginning, then live until the end.
    pub fn stream(self) -> GetStream {
        GetStream { client: self.client, id: self.id, options: self.options, last_event_id: None }
    }

    /// Gives the raw response beside the interaction.
    ///
    /// # Errors
    /// As awaiting the call itself.
    pub async fn with_reply(self) -> Result<Reply<Interaction>, Error> {
        let span = Span::new("get_interaction", &self.client);
        let reply = span.watch(self.run()).await?;
        span.interaction(&reply.value);
        Ok(reply)
    }

    async fn run(self) -> Result<Reply<Interaction>, Error> {
        let mut url = self.client.url(&["interactions", self.id.as_str()])?;
        // Defaults are left out: some deployments refuse `stream=false`.
        if self.include_input {
            url.query_pairs_mut().append_pair("include_input", "true");
        }
        let deadline = Deadline::after(self.options.limit);
        let draft = Draft::new(Method::GET, url);
        let response = self.client.exchange_whole(draft, &self.options, deadline).await?;
        Reply::read(response, legacy::interaction)
    }
}

impl IntoFuture for Get {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move { self.with_reply().await.map(Reply::into_value) }.boxed()
    }
}

/// Streams the events of a stored interaction.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct GetStream {
    client: Client,
    id: InteractionId,
    options: Options,
    last_event_id: Option<EventId>,
}

call_options!(GetStream);

impl GetStream {
    /// Begins after this event instead of at the beginning.
    pub fn last_event_id(mut self, id: impl Into<EventId>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    async fn open(self, span: Span) -> Result<EventStream, Error> {
        let url = events_url(&self.client, &self.id, self.last_event_id.as_ref())?;
        let deadline = Deadline::after(self.options.limit);
        let draft = Draft::new(Method::GET, url).events();
        let response = self.client.exchange(draft, &self.options, deadline).await?;
        let response = expect_events(response, deadline).await?;
        let (client, options) = (self.client, self.options);
        let route = Route { client, options, deadline, stored: true, warns: false };
        Ok(EventStream::of_get(response, route, self.id, self.last_event_id, span))
    }
}

impl IntoFuture for GetStream {
    type Output = Result<EventStream, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let span = Span::new("get_interaction", &self.client);
        async move { span.watch(self.open(span.clone())).await }.boxed()
    }
}
