//! Creating interactions.

use std::future::IntoFuture;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use interactions_types::{CreateInteraction, Interaction};

use crate::continuation::{self, Checkpoint, Hops};
use crate::exchange::{Deadline, Draft};
use crate::frames::expect_events;
use crate::options::{Options, body_options, call_options};
use crate::reply::Reply;
use crate::stream::Route;
use crate::telemetry::{self, Span};
use crate::{Client, Error, EventStream, legacy};

/// Creates an interaction. Await it for the whole, or take the [`stream`](Self::stream).
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Create {
    client: Client,
    // In a box, since a call is moved from future to future on its way.
    request: Box<CreateInteraction>,
    options: Options,
    continues: bool,
}

call_options!(Create);
body_options!(Create);

impl Create {
    pub(crate) fn new(client: Client, request: CreateInteraction) -> Self {
        let options = client.options();
        Self { client, request: Box::new(request), options, continues: true }
    }

    /// Whether an answer that was cut for length goes on by itself; it does by default.
    ///
    /// The service may stop a long answer with the status `requires_continuation` and a token.
    /// The client then asks for the rest until there is no more, and gives all as one interaction
    /// with the steps and the usage of every hop. Each hop reads, and bills, the input again.
    /// Agents and background work are never continued by the client.
    pub fn automatic_continuation(mut self, wanted: bool) -> Self {
        self.continues = wanted;
        self
    }

    /// Asks for the answer as a stream of events.
    pub fn stream(self) -> CreateStream {
        let Self { client, request, options, continues } = self;
        CreateStream { client, request, options, continues }
    }

    /// Gives the raw response beside the interaction; of several hops, the last one's.
    ///
    /// # Errors
    /// As awaiting the call itself.
    pub async fn with_reply(self) -> Result<Reply<Interaction>, Error> {
        let span = Span::new("create_interaction", &self.client);
        span.request(&self.request);
        let reply = span.watch(self.run()).await?;
        span.interaction(&reply.value);
        Ok(reply)
    }

    async fn run(mut self) -> Result<Reply<Interaction>, Error> {
        self.options.fold_into(&mut self.request);
        self.request.stream = None;
        continuation::check(&self.request, self.continues)?;
        let deadline = Deadline::after(self.options.limit);
        let reply = self.hop(&self.request, deadline).await?;
        if self.continues && continuation::applies_to(&self.request) {
            if continuation::wanted(&reply.value, &self.sent()).is_none() {
                return Ok(alone(reply));
            }
            // Rare, and too large a future to be carried along by every call.
            return self.go_on(reply, deadline).boxed().await;
        }
        if !self.continues
            && self.request.continuation_token.is_none()
            && continuation::wanted(&reply.value, &[]).is_some()
        {
            telemetry::note_incomplete();
        }
        Ok(reply)
    }

    /// The continuation tokens that have been spent.
    fn sent(&self) -> Vec<String> {
        self.request.continuation_token.clone().into_iter().collect()
    }

    /// Asks for the rest of an answer until there is no more.
    async fn go_on(
        mut self,
        mut reply: Reply<Interaction>,
        deadline: Deadline,
    ) -> Result<Reply<Interaction>, Error> {
        let mut sent = self.sent();
        self.options = self.options.for_next_hop();
        let mut hops = Vec::new();
        while let Some(token) = continuation::wanted(&reply.value, &sent) {
            let owner = Some(&reply.value.id).filter(|id| !id.as_str().is_empty()).cloned();
            let next = continuation::next_hop(&self.request, &token, owner.as_ref());
            hops.push(reply.value);
            let hop = if deadline.is_over() {
                Err(Error::deadline("the time limit ran out before the next hop"))
            } else {
                self.hop(&next, deadline).await
            };
            reply = hop.map_err(|error| {
                let checkpoint = Checkpoint {
                    continuation_token: token.clone(),
                    interaction_id: owner.filter(|_| self.request.stores()),
                    hops: continuation::ids(&hops),
                };
                let partial = continuation::merged(std::mem::take(&mut hops));
                error.interrupted(checkpoint).with_partial(partial)
            })?;
            sent.push(token);
        }
        hops.push(reply.value);
        reply.hops = continuation::ids(&hops);
        reply.value = continuation::merged(hops).unwrap_or_default();
        Ok(reply)
    }

    async fn hop(
        &self,
        request: &CreateInteraction,
        deadline: Deadline,
    ) -> Result<Reply<Interaction>, Error> {
        let url = self.client.url(&["interactions"])?;
        let draft = Draft::new(Method::POST, url).json(self.options.encode(request)?);
        let response = self.client.exchange_whole(draft, &self.options, deadline).await?;
        Reply::read(response, legacy::interaction)
    }
}

/// Says of an answer in one hop what is said of one in several.
fn alone(mut reply: Reply<Interaction>) -> Reply<Interaction> {
    reply.hops = continuation::ids(std::slice::from_ref(&reply.value));
    let initial = continuation::initial_input(&reply.value);
    if let Some(usage) = &mut reply.value.usage {
        usage.initial_input_tokens = initial;
    }
    reply
}

impl IntoFuture for Create {
    type Output = Result<Interaction, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move { self.with_reply().await.map(Reply::into_value) }.boxed()
    }
}

/// Creates an interaction and streams its events.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct CreateStream {
    client: Client,
    request: Box<CreateInteraction>,
    options: Options,
    continues: bool,
}

call_options!(CreateStream);
body_options!(CreateStream);

impl CreateStream {
    /// Whether an answer that was cut for length goes on; see [`Create::automatic_continuation`].
    pub fn automatic_continuation(mut self, wanted: bool) -> Self {
        self.continues = wanted;
        self
    }

    async fn open(mut self, span: Span) -> Result<EventStream, Error> {
        self.options.fold_into(&mut self.request);
        self.request.stream = Some(true);
        continuation::check(&self.request, self.continues)?;
        let deadline = Deadline::after(self.options.limit);
        let url = self.client.url(&["interactions"])?;
        let body = self.options.encode(&self.request)?;
        let draft = Draft::new(Method::POST, url).json(body).events();
        let response = self.client.exchange(draft, &self.options, deadline).await?;
        let response = expect_events(response, deadline).await?;
        let hops = Hops::new(&self.request).filter(|_| self.continues);
        let stored = self.request.stores();
        let warns = !self.continues && self.request.continuation_token.is_none();
        let route = Route { client: self.client, options: self.options, deadline, stored, warns };
        Ok(EventStream::of_create(response, route, hops, span))
    }
}

impl IntoFuture for CreateStream {
    type Output = Result<EventStream, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let span = Span::new("create_interaction", &self.client);
        span.request(&self.request);
        async move { span.watch(self.open(span.clone())).await }.boxed()
    }
}
