//! What handlers take from a request, with refusals in the form of the API.

use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use interactions_types::InteractionId;

use crate::clock;
use crate::error::Refusal;

/// The id in the path. One that is no text cannot be anybody's.
#[derive(Debug)]
pub(super) struct Id(pub(super) InteractionId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::not_found("there is nothing under an id that is not UTF-8"))?;
        let id = path.iter().find(|(name, _)| matches!(*name, "id" | "agent"));
        Ok(Self(id.map(|(_, value)| value).unwrap_or_default().into()))
    }
}

/// The parameters of the query, in their order.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(query) = Query::from_request_parts(parts, state)
            .await
            .map_err(|error| Refusal::invalid(format!("the query cannot be read: {error}")))?;
        Ok(Self(query))
    }
}

impl Parameters {
    /// A parameter; an empty one is none, and of several the last one counts.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rfind(|(known, _)| known == name);
        last.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
    }

    /// All values of a parameter that may come more than once.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let all = self.0.iter().filter(move |(known, _)| known == name);
        all.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
    }

    /// A time in the form of RFC 3339, in milliseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        clock::from_rfc3339(text).map(Some).ok_or_else(|| {
            Refusal::invalid(format!(
                "`{name}`: '{text}' is not a time; write it like 2026-11-23T10:00:00Z (a + has to be %2B in a URL)"
            ))
        })
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => {
                Err(Refusal::invalid(format!("`{name}`: '{other}' is neither true nor false")))
            }
        }
    }

    /// A size, held within `1..=most`; `usual` where there is none.
    pub(super) fn size(&self, name: &str, usual: u32, most: u32) -> Result<u32, Refusal> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::invalid(format!("`{name}`: '{text}' is not a number")));
        }
        // Digits that do not fit are a very large number.
        Ok(match text.parse().unwrap_or(u32::MAX) {
            0 => usual,
            size => size.min(most),
        })
    }
}
