//! Requests that are sent again below the client, and those that must not be.
#![cfg(feature = "retry")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use interactions_transport::TransportErrorKind::{
    Connect, Interrupted, Refused, Timeout, TooLarge,
};
use interactions_transport::{
    Body, Retried, Timeouts, Transport, TransportError, TransportErrorKind,
};
use tokio::time::Instant;

/// A status with a `retry-after`, or a failure.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16, Option<&'static str>),
    Failure(TransportErrorKind),
}

use Answer::{Failure, Status};

/// What was sent: the body, and the limit that was left.
type Sent = (Bytes, Option<Duration>);

/// Gives its answers in turn and keeps what was sent.
#[derive(Clone, Debug)]
struct Service {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Sent>>>,
}

#[async_trait]
impl Transport for Service {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let left = request.extensions().get::<Timeouts>().and_then(|timeouts| timeouts.total);
        let body = request.into_body().collect(usize::MAX).await?;
        self.seen.lock().unwrap().push((body, left));
        match self.answers.lock().unwrap().pop_front().unwrap() {
            Failure(kind) => Err(TransportError::new(kind, "as scripted")),
            Status(status, wait) => {
                let mut response = Response::builder().status(status);
                if let Some(wait) = wait {
                    response = response.header("retry-after", wait);
                }
                Ok(response.body(Body::empty()).unwrap())
            }
        }
    }
}

/// What comes of a request, how often it was sent, and after how many seconds.
async fn send(request: Request<Body>, answers: &[Answer]) -> (String, Service, f64) {
    let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
    let service = Service { answers, seen: Arc::default() };
    let begin = Instant::now();
    let outcome = match Retried::new(service.clone()).send(request).await {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) => error.kind().as_str().to_owned(),
    };
    (outcome, service, begin.elapsed().as_secs_f64())
}

fn request(method: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri("http://localhost/x").body(body.into()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn only_what_can_do_no_harm_is_sent_again() {
    let busy = |status| Status(status, None);
    for (method, first, outcome) in [
        ("GET", busy(503), "200"),
        ("PUT", busy(429), "200"),
        ("DELETE", busy(502), "200"),
        ("GET", busy(500), "500"),
        ("GET", busy(404), "404"),
        ("GET", Failure(Interrupted), "200"),
        ("GET", Failure(Timeout), "200"),
        ("GET", Failure(Connect), "200"),
        ("GET", Failure(TooLarge), "too_large"),
        ("GET", Failure(Refused), "refused"),
        ("POST", busy(503), "503"),
        ("POST", Failure(Interrupted), "interrupted"),
        ("POST", Failure(Connect), "200"),
    ] {
        let (seen, service, _) = send(request(method, "hello"), &[first, busy(200)]).await;
        assert_eq!(seen, outcome, "{method} {first:?}");
        let bodies: Vec<_> = service.seen.lock().unwrap().iter().map(|(b, _)| b.clone()).collect();
        assert_eq!(bodies.len(), if outcome == "200" { 2 } else { 1 }, "{method} {first:?}");
        assert!(bodies.iter().all(|body| body == "hello"));
    }
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_the_service_s_own_win() {
    let (outcome, service, waited) = send(request("GET", ""), &[Failure(Connect); 9]).await;
    assert_eq!((outcome.as_str(), service.seen.lock().unwrap().len()), ("connect", 5));
    assert!((5.6..=7.6).contains(&waited), "{waited}");

    let answers = [Status(503, Some("30")), Status(200, None)];
    assert_eq!(send(request("GET", ""), &answers).await.2.round(), 30.0);
    let answers = [Status(503, Some("3600")), Status(200, None)];
    let (outcome, _, waited) = send(request("GET", ""), &answers).await;
    assert_eq!((outcome.as_str(), waited), ("503", 0.0), "nobody waits for an hour");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_covers_all_tries() {
    let mut limited = request("GET", "");
    limited.extensions_mut().insert(Timeouts::default().with_total(Duration::from_secs(2)));
    let (outcome, service, waited) = send(limited, &[Status(503, None); 9]).await;
    assert_eq!(outcome, "503");
    assert!(waited <= 2.0, "{waited}");
    let left: Vec<_> = service.seen.lock().unwrap().iter().map(|(_, left)| left.unwrap()).collect();
    assert!(left.len() > 1 && left.is_sorted_by(|one, next| one > next), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_once_is_sent_once() {
    let answers = [Failure(Connect), Status(200, None)];
    let once = Body::stream(stream::iter([Ok(Bytes::from("hello"))]));
    assert_eq!(send(request("PUT", once), &answers).await.0, "connect");
    let again = Body::replayable(|| stream::iter([Ok(Bytes::from("hello"))]));
    let (outcome, service, _) = send(request("PUT", again), &answers).await;
    assert_eq!(outcome, "200");
    assert!(service.seen.lock().unwrap().iter().all(|(body, _)| body == "hello"));
}
