//! The network transport against servers on the loopback that misbehave on purpose.
#![cfg(feature = "reqwest")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use interactions_transport::{
    Body, ReqwestTransport, Timeouts, Transport, TransportError, TransportErrorKind,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const SOON: Duration = Duration::from_millis(150);
const LATE: Duration = Duration::from_secs(5);

fn transport() -> ReqwestTransport {
    ReqwestTransport::builder().no_proxy().build().unwrap()
}

fn get(url: String, timeouts: Timeouts) -> http::Request<Body> {
    let mut request = http::Request::get(url).body(Body::empty()).unwrap();
    request.extensions_mut().insert(timeouts);
    request
}

/// Serves connections one after the other: reads a request, then does what the test wants.
async fn server<F, W>(serve: F) -> String
where
    F: Fn(TcpStream, String) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !whole(&request) {
                let mut piece = [0; 4096];
                match socket.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&piece[..read]),
                }
            }
            tokio::spawn(serve(socket, String::from_utf8_lossy(&request).into_owned()));
        }
    });
    url
}

/// Whether head and body of a request are there.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

#[tokio::test]
async fn connect_limits_the_handshake_of_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // TCP connects, but TLS gets no answer: there is no connection yet.
    let url = format!("https://{}/?key=secret", listener.local_addr().unwrap());
    let began = Instant::now();
    let error = transport()
        .send(get(url.clone(), Timeouts::default().with_connect(SOON)))
        .await
        .unwrap_err();
    assert!(began.elapsed() >= SOON && began.elapsed() < LATE, "{:?}", began.elapsed());
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
    assert!(!error.kind().may_have_been_sent());
    assert!(error.to_string().contains("no connection within 150ms"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");

    // The limit of the transport holds without one of the request, and beats a longer one.
    let hasty = ReqwestTransport::builder().no_proxy().connect_timeout(SOON).build().unwrap();
    for timeouts in [Timeouts::default(), Timeouts::default().with_connect(LATE)] {
        let began = Instant::now();
        let error = hasty.send(get(url.clone(), timeouts)).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
        assert!(began.elapsed() < LATE);
    }
}

#[tokio::test]
async fn connect_limits_waiting_for_a_full_listener() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let mut full = false;
    for _ in 0..64 {
        match tokio::time::timeout(SOON, TcpStream::connect(address)).await {
            Ok(connected) => waiting.push(connected.unwrap()),
            Err(_) => {
                full = true;
                break;
            }
        }
    }
    if !full {
        // Some kernels never let a listener's queue run full; the handshake test still holds.
        return;
    }
    let timeouts = Timeouts::default().with_connect(SOON);
    let error = transport().send(get(format!("http://{address}/"), timeouts)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");
}

#[tokio::test]
async fn connect_leaves_a_slow_answer_alone() {
    let url = server(|mut socket, _| async move {
        tokio::time::sleep(SOON * 2).await;
        socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let endless = Timeouts::default().with_first_byte(Duration::MAX).with_total(Duration::MAX);
    for timeouts in [endless.with_connect(SOON), endless.with_connect(Duration::MAX)] {
        let response = transport().send(get(url.clone(), timeouts)).await.unwrap();
        assert_eq!(response.status(), 204);
    }
}

#[tokio::test]
async fn first_byte_limits_the_wait_for_the_head() {
    let url = server(|socket, _| async move {
        tokio::time::sleep(LATE).await;
        drop(socket);
    })
    .await;
    let error =
        transport().send(get(url, Timeouts::default().with_first_byte(SOON))).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout, "{error}");
    assert!(error.kind().may_have_been_sent());
}

async fn trickle(mut socket: TcpStream, pieces: usize, pause: Duration) {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = socket.write_all(head).await;
    for _ in 0..pieces {
        if socket.write_all(b"1\r\nx\r\n").await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    let _ = socket.write_all(b"0\r\n\r\n").await;
}

async fn read(mut body: Body) -> (usize, Option<TransportError>) {
    let mut read = 0;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => read += piece.len(),
            Err(error) => {
                assert!(body.next().await.is_none());
                return (read, Some(error));
            }
        }
    }
    (read, None)
}

#[tokio::test]
async fn idle_limits_silence_and_not_the_whole() {
    let steady = server(|socket, _| trickle(socket, 6, SOON / 3)).await;
    let silent = server(|socket, _| trickle(socket, 1, LATE)).await;
    let timeouts = Timeouts::default().with_idle(SOON);
    let response = transport().send(get(steady, timeouts)).await.unwrap();
    let (bytes, error) = read(response.into_body()).await;
    assert!(bytes == 6 && error.is_none(), "{bytes} {error:?}");
    let response = transport().send(get(silent, timeouts)).await.unwrap();
    let (bytes, error) = read(response.into_body()).await;
    assert_eq!((bytes, error.unwrap().kind()), (1, TransportErrorKind::Timeout));
}

#[tokio::test]
async fn total_limits_the_whole_however_lively() {
    let url = server(|socket, _| trickle(socket, 1000, SOON / 10)).await;
    let response = transport().send(get(url, Timeouts::default().with_total(SOON))).await.unwrap();
    let (bytes, error) = read(response.into_body()).await;
    assert!(bytes > 0);
    assert_eq!(error.unwrap().kind(), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn a_closed_port_is_a_failed_connection_and_a_cut_body_an_interruption() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error =
        transport().send(get(format!("http://{address}/"), Timeouts::default())).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect, "{error}");

    let url = server(|mut socket, _| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let response = transport().send(get(url, Timeouts::default())).await.unwrap();
    let (bytes, error) = read(response.into_body()).await;
    assert_eq!((bytes, error.unwrap().kind()), (4, TransportErrorKind::Interrupted));
}

#[tokio::test]
async fn uploads_name_their_length_where_it_is_known() {
    let url = server(|mut socket, request| async move {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.len());
        // The client may be gone already when its own body was at fault.
        let _ = socket.write_all((answer + &request).as_bytes()).await;
    })
    .await;
    let pieces = || stream::iter([Ok(Bytes::from("one")), Ok(Bytes::from("two"))]);
    let echo = async |body: Body| {
        let request = http::Request::post(&url).body(body).unwrap();
        let response = transport().send(request).await.unwrap();
        let text = response.into_body().collect(9999).await.unwrap();
        String::from_utf8(text.to_vec()).unwrap().to_ascii_lowercase()
    };
    for body in [Body::from("onetwo"), Body::replayable(pieces).with_length(6)] {
        let seen = echo(body).await;
        assert!(seen.contains(&format!("{CONTENT_LENGTH}: 6\r\n")), "{seen}");
        assert!(seen.ends_with("\r\n\r\nonetwo"), "{seen}");
    }
    let seen = echo(Body::replayable(pieces)).await;
    assert!(seen.contains(&format!("{TRANSFER_ENCODING}: chunked")), "{seen}");

    // A body that breaks its promise never arrives whole.
    let request = http::Request::post(&url).body(Body::stream(pieces()).with_length(7)).unwrap();
    assert!(transport().send(request).await.is_err());
}
