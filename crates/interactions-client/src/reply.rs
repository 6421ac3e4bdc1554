//! A response beside what was read from it.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use interactions_transport::Body;
use interactions_types::InteractionId;

use crate::exchange::Deadline;
use crate::{Error, error};

/// No JSON reply is larger, images included; beyond it something is wrong.
const LIMIT: usize = 256 * 1024 * 1024;

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
    /// The interactions of which this is made, when the answer was continued; see
    /// [`Create::automatic_continuation`](crate::Create::automatic_continuation).
    pub hops: Vec<InteractionId>,
}

impl<T> Reply<T> {
    pub(crate) async fn read(
        response: Response<Body>,
        deadline: Deadline,
        read: fn(&Bytes) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let (parts, body) = response.into_parts();
        let body = deadline.limit(body.collect(LIMIT)).await.map_err(Error::transport)?;
        let value = read(&body)?;
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
