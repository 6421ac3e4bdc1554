//! Lists: page by page, or item by item across pages.

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use http::Method;
use interactions_types::{Interaction, InteractionId, Status};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Call, Client, Error};

/// One page of a list.
pub trait Page: DeserializeOwned + Send + 'static {
    /// What is listed.
    type Item: Send + 'static;

    /// Takes the page apart: its items, and the token of the next page unless it is the last.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// Lists something: await it for one page, or take all [`items`](Self::items).
#[must_use = "a call does nothing until it is awaited"]
pub struct Listing<P> {
    call: Call<P>,
}

/// Lists stored interactions.
pub type List = Listing<InteractionPage>;

impl<P> Clone for Listing<P> {
    fn clone(&self) -> Self {
        Self { call: self.call.clone() }
    }
}

impl<P> fmt::Debug for Listing<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listing").field(&self.call).finish()
    }
}

impl<P: Page> Listing<P> {
    pub(crate) fn of(client: &Client, name: &'static str, path: &[&str]) -> Self {
        Self { call: Call::new(client, name, Method::GET, path) }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.call = self.call.query(name, value);
        self
    }

    /// How many items a page has at the most.
    pub fn page_size(self, size: u32) -> Self {
        self.query("page_size", size.to_string())
    }

    /// Begins with the page that another page's `next_page_token` names.
    pub fn page_token(self, token: impl Into<String>) -> Self {
        self.query("page_token", token)
    }

    /// Tells the underlying call its options: time limits, retries, headers.
    pub fn with(mut self, options: impl FnOnce(Call<P>) -> Call<P>) -> Self {
        self.call = options(self.call);
        self
    }

    /// All items, page after page, each page asked for when the one before is used up.
    ///
    /// A service that repeats a page's token would list for ever; that is an error.
    /// After an error the stream ends.
    pub fn items(self) -> BoxStream<'static, Result<P::Item, Error>> {
        struct State<P: Page> {
            listing: Listing<P>,
            /// `None` after the last page.
            next: Option<Call<P>>,
            tokens: HashSet<String>,
        }
        let next = Some(self.call.clone());
        let state = State { listing: self, next, tokens: HashSet::new() };
        stream::try_unfold(state, |mut state| async move {
            let Some(call) = state.next.take() else { return Ok(None) };
            let (items, token) = call.await?.into_parts();
            if let Some(token) = token.filter(|token| !token.is_empty()) {
                if !state.tokens.insert(token.clone()) {
                    return Err(Error::repeated_page());
                }
                state.next = Some(state.listing.call.clone().replace_query("page_token", token));
            }
            Ok(Some((stream::iter(items.into_iter().map(Ok)), state)))
        })
        .flat_map(|page: Result<_, Error>| match page {
            Ok(items) => items.left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        })
        .boxed()
    }
}

impl<P: Page> IntoFuture for Listing<P> {
    type Output = Result<P, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.call.into_future()
    }
}

impl List {
    pub(crate) fn new(client: &Client) -> Self {
        Self::of(client, "list_interactions", &["interactions"])
    }

    /// Only interactions with this status; our own server's extension.
    pub fn status(self, status: impl Into<Status>) -> Self {
        self.query("status", status.into().as_str())
    }

    /// Only interactions that were created with this label; our own server's extension.
    ///
    /// Of several labels, an interaction must have them all.
    pub fn label(self, key: impl fmt::Display, value: impl fmt::Display) -> Self {
        self.query("label", format!("{key}:{value}"))
    }

    /// Only interactions that were created with a label of this key; our own server's extension.
    pub fn has_label(self, key: impl Into<String>) -> Self {
        self.query("label", key)
    }

    /// Only interactions created at this time or later; our own server's extension.
    ///
    /// The time is RFC 3339, as in [`Interaction::created`]: `2026-11-23T10:00:00Z`.
    pub fn created_after(self, time: impl Into<String>) -> Self {
        self.query("created_after", time)
    }

    /// Only interactions created before this time, in the form of [`created_after`](Self::created_after);
    /// our own server's extension.
    pub fn created_before(self, time: impl Into<String>) -> Self {
        self.query("created_before", time)
    }
}

/// A page of stored interactions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct InteractionPage {
    /// What is known of each without reading it: id, status, model and times, but no steps.
    #[serde(default, rename = "interaction_metadatas")]
    pub interactions: Vec<Interaction>,
    /// Names the next page; absent or empty on the last.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

impl InteractionPage {
    /// The ids of the page's interactions.
    #[must_use]
    pub fn ids(&self) -> Vec<InteractionId> {
        self.interactions.iter().map(|interaction| interaction.id.clone()).collect()
    }
}

impl Page for InteractionPage {
    type Item = Interaction;

    fn into_parts(self) -> (Vec<Interaction>, Option<String>) {
        (self.interactions, self.next_page_token)
    }
}
