//! Listing stored interactions.

use std::future::IntoFuture;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use interactions_transport::Timeouts;
use interactions_types::{InteractionId, Status};
use serde::Deserialize;

use crate::{Client, Error};

/// Lists stored interactions a page at a time.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct List {
    client: Client,
    page_size: Option<u32>,
    page_token: Option<String>,
    status: Option<Status>,
}

impl List {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, page_size: None, page_token: None, status: None }
    }

    /// How many interactions a page has; the server's default is 10, its most 500.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = Some(size);
        self
    }

    /// The page that the `next_page_token` of another one names.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// Only interactions with this status; our own server's extension.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }
}

impl IntoFuture for List {
    type Output = Result<InteractionPage, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let mut url = self.client.url(&["interactions"])?;
            if let Some(size) = self.page_size {
                url.query_pairs_mut().append_pair("page_size", &size.to_string());
            }
            if let Some(token) = &self.page_token {
                url.query_pairs_mut().append_pair("page_token", token);
            }
            if let Some(status) = &self.status {
                url.query_pairs_mut().append_pair("status", status.as_str());
            }
            let response = self
                .client
                .send(Method::GET, &url, "application/json", None, Timeouts::default())
                .await?;
            let bytes = self.client.reply(response).await?;
            let page: Page = interactions_types::decode(&bytes)
                .map_err(|error| Error::decode(&error, &bytes))?;
            Ok(InteractionPage {
                ids: page.interaction_metadatas.into_iter().map(|entry| entry.id).collect(),
                next_page_token: page.next_page_token.filter(|token| !token.is_empty()),
            })
        }
        .boxed()
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    interaction_metadatas: Vec<Entry>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: InteractionId,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InteractionPage {
    /// The interactions' ids.
    pub ids: Vec<InteractionId>,
    /// Names the next page; absent on the last.
    pub next_page_token: Option<String>,
}
