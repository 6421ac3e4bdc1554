//! Calls: values that describe one request until they are awaited.

use std::fmt;
use std::future::IntoFuture;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use interactions_types::decode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::exchange::{Deadline, Draft};
use crate::options::{Options, body_options, call_options};
use crate::reply::Reply;
use crate::telemetry::Span;
use crate::{Client, Error};

/// One request that becomes a `T` when it is awaited.
///
/// Until then it can be told [how long it may take](Self::with_timeout) and what else to send;
/// [`with_reply`](Self::with_reply) gives the raw response beside the value.
/// Dropping the future gives the request up.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T> {
    client: Client,
    options: Options,
    name: &'static str,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    fault: Option<String>,
    idempotent: bool,
    masked: bool,
    read: fn(&Bytes) -> Result<T, Error>,
}

impl<T: DeserializeOwned> Call<T> {
    /// `name` is what traces call it, for example `get_interaction`.
    pub(crate) fn new(client: &Client, name: &'static str, method: Method, path: &[&str]) -> Self {
        Self::reading(client, name, method, path, decoded)
    }
}

impl Call<()> {
    /// A call whose response body says nothing.
    pub(crate) fn silent(
        client: &Client,
        name: &'static str,
        method: Method,
        path: &[&str],
    ) -> Self {
        Self::reading(client, name, method, path, |_| Ok(()))
    }
}

impl<T> Call<T> {
    fn reading(
        client: &Client,
        name: &'static str,
        method: Method,
        path: &[&str],
        read: fn(&Bytes) -> Result<T, Error>,
    ) -> Self {
        Self {
            client: client.clone(),
            options: client.options(),
            name,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            idempotent: method.is_idempotent(),
            masked: false,
            fault: None,
            method,
            read,
        }
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.body = Some(body),
            Err(error) => self.fault = Some(error.to_string()),
        }
        self
    }

    /// Says that sending it twice does no more than sending it once, although it is a POST.
    pub(crate) fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    pub(crate) fn replace_query(mut self, name: &'static str, value: String) -> Self {
        self.query.retain(|(known, _)| *known != name);
        self.query(name, value)
    }

    /// Names the fields that the body sets in `update_mask`, extra ones included.
    pub(crate) fn masked(mut self) -> Self {
        self.masked = true;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Gives the raw response beside the value.
    ///
    /// # Errors
    /// As awaiting the call itself.
    pub async fn with_reply(self) -> Result<Reply<T>, Error> {
        let span = Span::new(self.name, &self.client);
        span.watch(self.send()).await
    }

    async fn send(self) -> Result<Reply<T>, Error> {
        if let Some(fault) = self.fault {
            return Err(Error::request(fault));
        }
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let mut url = self.client.url(&path)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let takes_body = !matches!(self.method, Method::GET | Method::DELETE);
        if self.options.extends_body() && !takes_body {
            return Err(Error::request("this call has no body to add fields to"));
        }
        let body = match self.body {
            None if self.options.extends_body() => Some(Value::Object(Map::new())),
            body => body,
        };
        if self.masked
            && let Some(Value::Object(own)) = &body
        {
            let extra = self.options.body_fields().filter(|name| !own.contains_key(*name));
            let fields = own.keys().map(String::as_str).chain(extra);
            // It says which kind of thing is updated, which no update changes.
            let fields: Vec<&str> = fields.filter(|name| *name != "type").collect();
            if !fields.is_empty() {
                url.query_pairs_mut().append_pair("update_mask", &fields.join(","));
            }
        }
        let mut draft = Draft::new(self.method, url);
        draft.idempotent = self.idempotent;
        if let Some(body) = &body {
            draft = draft.json(self.options.encode(body)?);
        }
        let deadline = Deadline::after(self.options.limit);
        let response = self.client.exchange_whole(draft, &self.options, deadline).await?;
        Reply::read(response, self.read)
    }
}

pub(crate) fn decoded<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    decode(body).map_err(|error| Error::decode(&error, body))
}

impl<T: 'static> IntoFuture for Call<T> {
    type Output = Result<T, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.with_reply().map(|reply| reply.map(Reply::into_value)).boxed()
    }
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            options: self.options.clone(),
            name: self.name,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            body: self.body.clone(),
            fault: self.fault.clone(),
            idempotent: self.idempotent,
            masked: self.masked,
            read: self.read,
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

call_options!(Call<T>);
body_options!(Call<T>);
