//! Feature `record`: plays a recording back.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::{HeaderName, HeaderValue, StatusCode};

use super::recording::{End, Exchange, Piece, REDACTED, Recording, Request, Response};
use crate::{Body, Transport, TransportError, TransportErrorKind};

/// Answers requests from a [`Recording`], in the order in which they were recorded.
///
/// A request has to have the method, path, query and body of the exchange that is next; where it
/// goes to and its headers do not matter. Parameters of the query that were redacted may have any
/// value, and bodies that are JSON may be written differently. Responses come in the recorded
/// pieces, and what broke off then breaks off again.
///
/// Any other request is refused with [`TransportErrorKind::Request`] and a message that names
/// what was asked for and what is next. The exchange stays next.
///
/// # Cancellation
/// An exchange is used up once `send` was polled to its end.
///
/// ```
/// use interactions_transport::{Recording, Replayer, SharedTransport};
///
/// # let text = "";
/// let transport = SharedTransport::new(Replayer::new(Recording::parse(text)?));
/// # drop(transport);
/// # Ok::<(), interactions_transport::RecordingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replayer {
    total: usize,
    left: Arc<Mutex<VecDeque<Exchange>>>,
}

impl Replayer {
    /// Plays back a recording from its beginning.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        let total = recording.len();
        Self { total, left: Arc::new(Mutex::new(recording.exchanges.into())) }
    }

    /// How many exchanges were not asked for yet. A test that went well ends with none.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait]
impl Transport for Replayer {
    async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let (parts, body) = request.into_parts();
        let body = body.collect(usize::MAX).await?;
        let exchange = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let number = self.total - left.len() + 1;
            let refuse = |why: String| {
                let asked = format!("{} {}", parts.method, target(parts.uri.path(), None));
                let why = format!("asked for `{asked}`, but {why}");
                Err(TransportError::new(TransportErrorKind::Request, why))
            };
            let Some(next) = left.front() else {
                return refuse(format!("all {} recorded exchanges are used up", self.total));
            };
            if let Some(difference) = difference(&parts, &body, &next.request)? {
                let Request { method, path, query, .. } = &next.request;
                let expected = format!("{method} {}", target(path, query.as_deref()));
                return refuse(format!(
                    "exchange {number} of {} is `{expected}`: {difference}",
                    self.total
                ));
            }
            left.pop_front()
        };
        match exchange {
            Some(Exchange { response: Some(response), .. }) => answer(response),
            Some(Exchange { failure: Some(failure), .. }) => {
                Err(failure.error().with_uri(&parts.uri))
            }
            _ => {
                let why = "the recorded exchange has neither a response nor a failure";
                Err(TransportError::new(TransportErrorKind::Request, why))
            }
        }
    }
}

fn target(path: &str, query: Option<&str>) -> String {
    let mut target = path.to_owned();
    if let Some(query) = query {
        let _ = write!(target, "?{query}");
    }
    target
}

/// The first thing in which a request differs from the recorded one, for a person to read.
fn difference(
    parts: &http::request::Parts,
    body: &Bytes,
    recorded: &Request,
) -> Result<Option<String>, TransportError> {
    let Request { method, path, query, .. } = recorded;
    if parts.method.as_str() != method {
        return Ok(Some(format!("the method is `{}`, not `{method}`", parts.method)));
    }
    if parts.uri.path() != path {
        return Ok(Some(format!("the path is `{}`, not `{path}`", parts.uri.path())));
    }
    if let Some(which) = query_difference(parts.uri.query(), query.as_deref()) {
        return Ok(Some(which));
    }
    let recorded = concat(&recorded.body)?;
    if *body == recorded {
        return Ok(None);
    }
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if json(body).is_some_and(|asked| json(&recorded).is_some_and(|recorded| asked == recorded)) {
        return Ok(None);
    }
    let same = body.iter().zip(&recorded).take_while(|(asked, recorded)| asked == recorded).count();
    Ok(Some(format!(
        "the bodies ({} and {} bytes) differ at byte {same}: `{}`, not `{}`",
        body.len(),
        recorded.len(),
        excerpt(body, same),
        excerpt(&recorded, same),
    )))
}

/// Names the parameter and not its value, which may be a secret that was not to be recorded.
fn query_difference(asked: Option<&str>, recorded: Option<&str>) -> Option<String> {
    let pairs = |query: Option<&str>| -> Vec<(String, String)> {
        let split = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        query.into_iter().flat_map(|query| query.split('&')).map(split).collect()
    };
    let (asked, recorded) = (pairs(asked), pairs(recorded));
    for index in 0..asked.len().max(recorded.len()) {
        match (asked.get(index), recorded.get(index)) {
            (Some((name, _)), None) => return Some(format!("the parameter `{name}` is too much")),
            (None, Some((name, _))) => return Some(format!("the parameter `{name}` is missing")),
            (Some((name, value)), Some((expected, recorded))) => {
                if name != expected {
                    return Some(format!("the parameter `{name}` stands for `{expected}`"));
                }
                if recorded != REDACTED && value != recorded {
                    return Some(format!("the parameter `{name}` is not `{recorded}`"));
                }
            }
            (None, None) => {}
        }
    }
    None
}

fn concat(pieces: &[Piece]) -> Result<Bytes, TransportError> {
    let pieces = pieces.iter().map(Piece::bytes).collect::<Result<Vec<_>, _>>()?;
    Ok(pieces.concat().into())
}

fn excerpt(bytes: &[u8], at: usize) -> String {
    let from = at.saturating_sub(20);
    let to = bytes.len().min(at + 40);
    String::from_utf8_lossy(&bytes[from..to]).into_owned()
}

fn answer(recorded: Response) -> Result<http::Response<Body>, TransportError> {
    let unreadable = |what: String| {
        TransportError::new(TransportErrorKind::Request, format!("in the recording: {what}"))
    };
    let Response { status, headers, body, end } = recorded;
    let mut pieces = body.iter().map(Piece::bytes).collect::<Result<Vec<_>, _>>()?;
    pieces.retain(|piece| !piece.is_empty());
    let end = match end {
        End::Complete => None,
        End::Broken(failure) => Some(failure.error()),
        End::Dropped => Some(TransportError::new(
            TransportErrorKind::Interrupted,
            "the recording ends here, because its reader stopped reading",
        )),
    };
    let pieces = pieces.into_iter().map(Ok).chain(end.map(Err));
    let mut response = http::Response::new(Body::stream(stream::iter(pieces)));
    *response.status_mut() =
        StatusCode::from_u16(status).map_err(|error| unreadable(error.to_string()))?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| unreadable(format!("header `{name}`")))?;
        let value = HeaderValue::from_maybe_shared(value.bytes()?)
            .map_err(|_| unreadable(format!("value of `{name}`")))?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
