//! Streams that break, and what becomes of them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use interactions_client::{Client, ErrorKind, EventStream, TransportErrorKind};
use interactions_testing::{Capture, Reply, capture, transcript};
use interactions_transport::{Body, SharedTransport, Transport, TransportError};
use interactions_types::{CreateInteraction, Delta, Status, StreamEvent};
use serde_json::{Value, json};
use tokio::time::Instant;

fn client(service: &Capture) -> Client {
    Client::builder().transport(service.transport()).build().expect("a client")
}

/// The events of an answer that says `words`, with ids `e0`, `e1`, …
fn events(words: &[&str]) -> Vec<Value> {
    let shell = |status: &str| json!({"id": "v1_x", "status": status});
    let mut events = vec![
        json!({"event_type": "interaction.created", "interaction": shell("in_progress")}),
        json!({"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}),
    ];
    events.extend(words.iter().map(|word| {
        json!({"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": word}})
    }));
    events.push(json!({"event_type": "step.stop", "index": 0}));
    events.push(json!({"event_type": "interaction.completed", "interaction": shell("completed")}));
    for (number, event) in events.iter_mut().enumerate() {
        event["event_id"] = format!("e{number}").into();
    }
    events
}

const WORDS: [&str; 4] = ["one ", "two ", "three ", "four"];

async fn text(stream: &mut EventStream) -> (String, Option<interactions_client::Error>) {
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(StreamEvent::StepDelta(step)) => {
                if let Delta::Text(delta) = step.delta {
                    text += &delta.text;
                }
            }
            Ok(_) => {}
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

async fn open(service: &Capture) -> EventStream {
    client(service).create(CreateInteraction::new("m", "x")).stream().await.expect("a stream")
}

/// The second response of a server: what follows the event with this number.
fn after(number: usize) -> Reply {
    Reply::sse(transcript(&events(&WORDS)[number + 1..]))
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_byte_is_resumed_without_loss_or_repetition() {
    let whole = transcript(&events(&WORDS));
    let first_event = transcript(&events(&WORDS)[..1]).len();
    for cut in first_event..whole.len() {
        let complete = whole[..cut].matches("\n\n").count();
        let again = if complete == events(&WORDS).len() { None } else { Some(after(complete - 1)) };
        let service =
            capture([Some(Reply::sse(whole.clone()).cut_after(cut)), again].into_iter().flatten());
        let mut stream = open(&service).await;
        let (text, error) = text(&mut stream).await;
        assert!(error.is_none(), "cut at {cut}: {error:?}");
        assert_eq!(text, "one two three four", "cut at {cut}");
        assert_eq!(stream.interaction().unwrap().output_text(), "one two three four");
        if let Some(resume) = service.requests().get(1) {
            let query = format!("stream=true&last_event_id=e{}", complete - 1);
            assert_eq!(resume.uri.query(), Some(query.as_str()));
            assert!(resume.uri.path().ends_with("/interactions/v1_x"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_repeats_itself_is_heard_once() {
    for from in 0..=4 {
        // It goes on from an earlier event than it was asked for, or from the very first one.
        let service = capture([
            Reply::sse(transcript(&events(&WORDS)[..4])),
            Reply::sse(transcript(&events(&WORDS)[from..])),
        ]);
        let mut stream = open(&service).await;
        let (text, error) = text(&mut stream).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(text, "one two three four", "from {from}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_very_long_stream_that_is_replayed_whole_is_heard_once() {
    let words: Vec<String> = (0..1000).map(|number| format!("{number} ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let all = events(&words);
    let service = capture([Reply::sse(transcript(&all[..900])), Reply::sse(transcript(&all))]);
    let (text, error) = text(&mut open(&service).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, words.concat());
}

#[tokio::test(start_paused = true)]
async fn ids_that_repeat_within_a_stream_lose_nothing() {
    let mut same = events(&WORDS);
    for event in &mut same {
        event["event_id"] = "batch".into();
    }
    let service = capture([Reply::sse(transcript(&same))]);
    assert_eq!(text(&mut open(&service).await).await.0, "one two three four");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_taken_up_again_after_its_idle_limit() {
    let head = transcript(&events(&WORDS)[..3]);
    let service = capture([Reply::sse(head.clone()).silent_after(head.len()), after(2)]);
    let stream = client(&service).create(CreateInteraction::new("m", "x")).stream();
    let mut stream = stream.with_idle_timeout(Duration::from_secs(20)).await.unwrap();
    let (text, error) = text(&mut stream).await;
    // The scripted transport knows no time limits; the client keeps this one itself.
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "one two three four");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_ends_with_what_had_arrived() {
    let head = transcript(&events(&WORDS)[..4]);
    let gone = || Reply::error(404, "not_found", "no such interaction");
    let service = capture([Reply::sse(head.clone()), gone()]);
    let mut stream = open(&service).await;
    let (said, error) = text(&mut stream).await;
    let error = error.unwrap();
    assert_eq!(said, "one two ");
    assert_eq!(error.kind(), ErrorKind::Stream);
    assert_eq!(error.partial().unwrap().output_text(), "one two ");
    assert!(error.to_string().contains("no such interaction"), "{error}");
    assert!(stream.next().await.is_none());

    // What is not stored is not asked for.
    let service = capture([Reply::sse(head.clone())]);
    let request = CreateInteraction::new("m", "x").store(false);
    let error =
        client(&service).create(request).stream().await.unwrap().finish().await.unwrap_err();
    assert_eq!(error.partial().unwrap().output_text(), "one two ");
    assert_eq!(service.requests().len(), 1);

    let service = capture([Reply::sse(head)]);
    let stream = open(&service).await.without_keeping();
    let (_, error) = text(&mut { stream }).await;
    assert!(error.unwrap().partial().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_gets_on_is_given_up() {
    let head = Reply::sse(transcript(&events(&WORDS)[..4]));
    let service = capture([head, Reply::sse(""), Reply::sse(""), Reply::sse(""), Reply::sse("")]);
    let (_, error) = text(&mut open(&service).await).await;
    assert!(error.is_some());
    assert_eq!(service.requests().len(), 4, "three times in a row without an event is enough");
}

#[tokio::test(start_paused = true)]
async fn an_error_event_is_an_error() {
    let mut broken = events(&WORDS)[..3].to_vec();
    broken.push(
        json!({"event_type": "error", "error": {"code": "api_error", "message": "overheated"}}),
    );
    let service = capture([Reply::sse(transcript(&broken))]);
    let (said, error) = text(&mut open(&service).await).await;
    let error = error.unwrap();
    assert_eq!(
        (said.as_str(), error.code(), error.kind()),
        ("one ", Some("api_error"), ErrorKind::Api)
    );
    assert_eq!(error.partial().unwrap().output_text(), "one ");
    assert_eq!(service.requests().len(), 1);

    // Some services fall silent then, some say how it ended.
    let service = capture([Reply::sse(transcript(&broken)).silent_after(usize::MAX)]);
    let (_, error) = text(&mut open(&service).await).await;
    assert_eq!(error.unwrap().code(), Some("api_error"));
    broken.push(json!({"event_type": "interaction.completed",
        "interaction": {"id": "v1_x", "status": "failed", "usage": {"total_tokens": 4}}}));
    let service = capture([Reply::sse(transcript(&broken)).silent_after(usize::MAX)]);
    let (_, error) = text(&mut open(&service).await).await;
    let error = error.unwrap();
    let partial = error.partial().unwrap();
    assert_eq!((error.code(), &partial.status), (Some("api_error"), &Status::Failed));
    assert_eq!(partial.usage.as_ref().unwrap().total_tokens, Some(4));
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_an_error_with_its_place() {
    let bad = r#"data: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":7}}"#;
    let service = capture([Reply::sse(format!("{}{bad}\n\n", transcript(&events(&WORDS)[..3])))]);
    let (text, error) = text(&mut open(&service).await).await;
    let error = error.unwrap();
    assert_eq!((text.as_str(), error.kind()), ("one ", ErrorKind::Decode));
    assert!(error.to_string().contains("delta.text"), "{error}");

    let service = capture([Reply::json("{}")]);
    let error =
        client(&service).create(CreateInteraction::new("m", "x")).stream().await.unwrap_err();
    assert!(error.to_string().contains("application/json"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn events_without_ids_are_heard_once_when_a_server_repeats_them() {
    // Only some have ids; after the last of those, two pieces of text have arrived without.
    let mut some = events(&WORDS);
    for number in [3, 4, 5] {
        some[number].as_object_mut().unwrap().remove("event_id");
    }
    let service = capture([Reply::sse(transcript(&some[..5])), Reply::sse(transcript(&some[3..]))]);
    let mut stream = open(&service).await;
    let (said, error) = text(&mut stream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(said, "one two three four");
    assert_eq!(stream.interaction().unwrap().output_text(), "one two three four");
    assert!(service.requests()[1].uri.query().unwrap().ends_with("last_event_id=e2"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_while_is_asked_again() {
    let head = Reply::sse(transcript(&events(&WORDS)[..4]));
    let away = || (0..6).map(|_| Reply::failure(TransportErrorKind::Connect));
    let service = capture([head].into_iter().chain(away()).chain([after(3)]));
    let (said, error) = text(&mut open(&service).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(said, "one two three four");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_holds_while_a_stream_is_taken_up_again() {
    let head = Reply::sse(transcript(&events(&WORDS)[..4]));
    let away = (0..50).map(|_| Reply::error(503, "unavailable", "busy"));
    let service = capture([head].into_iter().chain(away));
    let begin = Instant::now();
    let stream = client(&service).create(CreateInteraction::new("m", "x")).stream();
    let mut stream = stream.with_timeout(Duration::from_secs(3)).await.unwrap();
    let (said, error) = text(&mut stream).await;
    let error = error.unwrap();
    assert_eq!(said, "one two ");
    assert_eq!(error.partial().unwrap().output_text(), "one two ");
    assert!(begin.elapsed() <= Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stays_open_after_the_end_is_left() {
    let whole = transcript(&events(&WORDS));
    let service = capture([Reply::sse(whole).silent_after(usize::MAX)]);
    let begin = Instant::now();
    let (said, error) = text(&mut open(&service).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(said, "one two three four");
    assert!(begin.elapsed() <= Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// A server that sends this, then a comment every second for ever.
#[derive(Debug)]
struct Pinging(String);

#[async_trait]
impl Transport for Pinging {
    async fn send(&self, _: Request<Body>) -> Result<Response<Body>, TransportError> {
        let pings = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b": ping\n\n")), ()))
        });
        let head = futures::stream::iter([Ok(Bytes::from(self.0.clone()))]);
        let kind = HeaderValue::from_static("text/event-stream");
        let mut response = Response::new(Body::stream(head.chain(pings)));
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(response)
    }
}

#[tokio::test(start_paused = true)]
async fn pings_after_an_error_do_not_hold_it_back() {
    let error = "data: {\"event_type\":\"error\",\"error\":{\"message\":\"overheated\"}}\n\n";
    let service = Pinging(transcript(&events(&WORDS)[..3]) + error);
    let client = Client::builder().transport(SharedTransport::new(service)).build().unwrap();
    let begin = Instant::now();
    let mut stream = client.create(CreateInteraction::new("m", "x")).stream().await.unwrap();
    let (_, error) = text(&mut stream).await;
    assert!(error.unwrap().to_string().contains("overheated"));
    assert!(begin.elapsed() <= Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_stream_name_its_request() {
    let head = transcript(&events(&WORDS)[..3]);
    let named = |body: String| Reply::sse(body).header("x-request-id", "r-9");
    let bad = "data: {\"event_type\":\"step.delta\",\"index\":[]}\n\n";
    let error = "data: {\"event_type\":\"error\",\"error\":{\"message\":\"no\"}}\n\n";
    for ending in [bad, error, ""] {
        let service = capture([named(format!("{head}{ending}"))]);
        let request = CreateInteraction::new("m", "x").store(false);
        let mut stream = client(&service).create(request).stream().await.unwrap();
        assert_eq!(stream.request_id(), Some("r-9"));
        let (_, error) = text(&mut stream).await;
        assert_eq!(error.unwrap().request_id(), Some("r-9"), "after {ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_stream_is_read_from_an_event_on_and_resumed_too() {
    let service = capture([Reply::sse(transcript(&events(&WORDS)[3..4])), after(3)]);
    let stream = client(&service).get("v1_x").stream().last_event_id("e2");
    let (text, error) = text(&mut stream.await.unwrap()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "two three four");
    let queries: Vec<_> =
        service.requests().iter().map(|r| r.uri.query().unwrap().to_owned()).collect();
    assert_eq!(queries, ["stream=true&last_event_id=e2", "stream=true&last_event_id=e3"]);
}
