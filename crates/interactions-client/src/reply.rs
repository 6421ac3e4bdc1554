//! A response beside what was read from it.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use interactions_types::InteractionId;

use crate::{Error, error};

/// The raw response of a successful call, and the value in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply<T> {
    /// What the call is for.
    pub value: T,
    /// The HTTP status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body as it was sent.
    pub body: Bytes,
    /// The stored interactions of which this is made, where an answer may be continued; see
    /// [`Create::automatic_continuation`](crate::Create::automatic_continuation).
    pub hops: Vec<InteractionId>,
}

impl<T> Reply<T> {
    pub(crate) fn read(
        response: Response<Bytes>,
        read: fn(&Bytes) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let (parts, body) = response.into_parts();
        let value = read(&body).map_err(|error| error.of_request(&parts.headers))?;
        Ok(Self { value, status: parts.status, headers: parts.headers, body, hops: Vec::new() })
    }

    /// The service's name for the request.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        error::request_id(&self.headers)
    }

    pub(crate) fn into_value(self) -> T {
        self.value
    }
}
