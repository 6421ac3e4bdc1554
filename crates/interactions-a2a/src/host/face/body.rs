//! Bodies of requests.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

/// How long a body is listened to that nobody reads.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of it, where it is too large.
const SURPLUS: usize = 128 * 1024 * 1024;
/// How much of it, where nobody knows who sends it.
pub(super) const STRANGER: usize = 1024 * 1024;

/// The body, unless it is too large or breaks off.
pub(super) async fn read(body: Body, limit: usize) -> Option<Bytes> {
    let mut pieces = body.into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.ok()?;
        if whole.len() + piece.len() > limit {
            drop(whole);
            hear_out(pieces, SURPLUS).await;
            return None;
        }
        whole.extend_from_slice(&piece);
    }
    Some(whole.freeze())
}

/// Reads on for a while and throws it away: a sender whose connection closes in the middle hears
/// of a broken connection, not of the reason.
pub(super) async fn hear_out(mut pieces: BodyDataStream, limit: usize) {
    let _ = tokio::time::timeout(PATIENCE, async {
        let mut heard = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            heard += piece.len();
            if heard > limit {
                break;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: usize) -> Body {
        let pieces = (0..pieces).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"1234")));
        Body::from_stream(futures::stream::iter(pieces))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_whole_or_nothing() {
        assert_eq!(read(body(2), 8).await.as_deref(), Some(&b"12341234"[..]));
        assert_eq!(read(body(3), 8).await, None);
        let endless =
            futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"12345"))])
                .chain(futures::stream::pending());
        assert_eq!(read(Body::from_stream(endless), 4).await, None);
    }
}
