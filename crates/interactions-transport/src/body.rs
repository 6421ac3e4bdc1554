//! Bodies of requests and responses.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt};
use http_body::{Frame, SizeHint};

use crate::{TransportError, TransportErrorKind};

/// A request or response body: nothing, bytes, or a stream of bytes.
///
/// It is a [`Stream`] of its pieces and an [`http_body::Body`].
pub struct Body(Inner);

type Pieces = BoxStream<'static, Result<Bytes, TransportError>>;
type Factory = Arc<dyn Fn() -> Pieces + Send + Sync>;

enum Inner {
    Empty,
    Bytes(Bytes),
    Stream(Streamed),
}

struct Streamed {
    /// Absent until a body that can be repeated is first read.
    pieces: Option<Pieces>,
    /// Makes the pieces anew, from the first one.
    again: Option<Factory>,
    /// What was declared for the whole, and what of it is still to come.
    length: Option<Length>,
}

#[derive(Clone, Copy)]
struct Length {
    whole: u64,
    left: u64,
}

impl Body {
    /// A body without bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// A body that arrives in pieces.
    pub fn stream(
        pieces: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
    ) -> Self {
        Self(Inner::Stream(Streamed { pieces: Some(pieces.boxed()), again: None, length: None }))
    }

    /// A body in pieces that can be made again, so that its request can be repeated.
    ///
    /// `pieces` runs when the body is first read, and once more for each
    /// [`try_clone`](Self::try_clone) that is read; it must yield the same bytes every time.
    ///
    /// ```
    /// use futures::stream;
    /// use interactions_transport::Body;
    ///
    /// let body = Body::replayable(|| stream::iter([Ok("one".into()), Ok("two".into())]));
    /// assert!(body.with_length(6).try_clone().is_some());
    /// ```
    pub fn replayable<S>(pieces: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
    {
        let again: Factory = Arc::new(move || pieces().boxed());
        Self(Inner::Stream(Streamed { pieces: None, again: Some(again), length: None }))
    }

    /// Declares how many bytes a stream has, so that it is sent with a `Content-Length`.
    ///
    /// A stream that turns out longer or shorter ends in [`TransportErrorKind::Other`]:
    /// the receiver must not take a part for the whole.
    /// Bodies of bytes know their length already and stay as they are.
    #[must_use]
    pub fn with_length(mut self, bytes: u64) -> Self {
        if let Inner::Stream(streamed) = &mut self.0 {
            streamed.length = Some(Length { whole: bytes, left: bytes });
        }
        self
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// [`TransportErrorKind::TooLarge`] past `limit` bytes, or what broke the body off.
    ///
    /// # Cancellation
    /// Dropping the future loses what was read.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, TransportError> {
        let too_large = || {
            TransportError::new(
                TransportErrorKind::TooLarge,
                format!("it has more than {limit} bytes"),
            )
        };
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(too_large());
        }
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(first);
        let mut piece = Some(second);
        while let Some(more) = piece {
            if whole.len() + more.len() > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&more);
            piece = self.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    /// A second body with the same bytes, unless this one is a stream that comes only once.
    ///
    /// The copy of a [`replayable`](Self::replayable) body begins with its first byte,
    /// however much of this one was read.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Inner::Empty => Some(Self::empty()),
            Inner::Bytes(bytes) => Some(Self(Inner::Bytes(bytes.clone()))),
            Inner::Stream(streamed) => {
                let again = Arc::clone(streamed.again.as_ref()?);
                let length =
                    streamed.length.map(|Length { whole, .. }| Length { whole, left: whole });
                Some(Self(Inner::Stream(Streamed { pieces: None, again: Some(again), length })))
            }
        }
    }

    /// The bytes, unless this is a stream.
    #[cfg(any(feature = "reqwest", feature = "record"))]
    pub(crate) fn known_bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::Empty => Some(Bytes::new()),
            Inner::Bytes(bytes) => Some(bytes.clone()),
            Inner::Stream(_) => None,
        }
    }

    /// The number of bytes that are still to be read, where it is known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Inner::Empty => Some(0),
            Inner::Bytes(bytes) => Some(bytes.len() as u64),
            Inner::Stream(streamed) => streamed.length.map(|length| length.left),
        }
    }

    /// Whether the body is known to have no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    /// Shows how much there is, never what: bodies hold what people said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Empty => f.write_str("Body(empty)"),
            Inner::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Inner::Stream(Streamed { length: Some(length), .. }) => {
                write!(f, "Body(stream of {} bytes)", length.whole)
            }
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Inner::Empty => Poll::Ready(None),
            Inner::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Inner::Empty;
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Inner::Stream(streamed) => {
                let piece = ready!(streamed.poll_piece(cx));
                if !matches!(piece, Some(Ok(_))) {
                    self.0 = Inner::Empty;
                }
                Poll::Ready(piece)
            }
        }
    }
}

impl Streamed {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let pieces = match (&mut self.pieces, &self.again) {
            (Some(pieces), _) => pieces,
            (none, Some(again)) => none.insert(again()),
            (None, None) => return Poll::Ready(None),
        };
        let piece = ready!(pieces.poll_next_unpin(cx));
        let Some(length) = &mut self.length else {
            return Poll::Ready(piece);
        };
        let wrong = |how: &str| {
            let why = format!("the body has {how} than the {} bytes it declared", length.whole);
            Poll::Ready(Some(Err(TransportError::new(TransportErrorKind::Other, why))))
        };
        match piece {
            Some(Ok(bytes)) => match length.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    length.left = left;
                    Poll::Ready(Some(Ok(bytes)))
                }
                None => wrong("more"),
            },
            None if length.left > 0 => wrong("fewer"),
            other => Poll::Ready(other),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        self.poll_next(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        // A stream that declared its length is asked once more, so that a surplus shows.
        matches!(self.0, Inner::Empty) || matches!(&self.0, Inner::Bytes(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::stream;

    use super::*;

    fn numbers() -> Body {
        Body::replayable(|| stream::iter((0..3).map(|n| Ok(Bytes::from(n.to_string())))))
    }

    #[test]
    fn a_replayable_stream_begins_anew_in_each_copy() {
        let mut body = numbers().with_length(3);
        assert_eq!(block_on(body.next()).unwrap().unwrap(), "0");
        assert_eq!(body.len(), Some(2));
        let copy = body.try_clone().unwrap();
        assert_eq!(copy.len(), Some(3));
        assert_eq!(block_on(copy.collect(9)).unwrap(), "012");
        assert_eq!(block_on(body.collect(9)).unwrap(), "12");
        assert!(Body::stream(stream::empty()).try_clone().is_none());
    }

    #[test]
    fn a_wrong_length_is_an_error_and_the_end() {
        for (length, how) in [(2, "more"), (4, "fewer")] {
            let mut body = numbers().with_length(length);
            let error = loop {
                if let Err(error) = block_on(body.next()).unwrap() {
                    break error;
                }
            };
            assert_eq!(error.kind(), TransportErrorKind::Other);
            assert!(error.to_string().contains(how), "{error}");
            assert!(block_on(body.next()).is_none());
        }
    }

    #[test]
    fn debug_tells_how_much_and_not_what() {
        assert_eq!(format!("{:?}", Body::from("secret")), "Body(6 bytes)");
        assert_eq!(format!("{:?}", numbers().with_length(3)), "Body(stream of 3 bytes)");
    }

    #[test]
    fn collecting_stops_at_the_limit() {
        assert_eq!(block_on(numbers().collect(3)).unwrap(), "012");
        let error = block_on(numbers().collect(2)).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
    }
}
