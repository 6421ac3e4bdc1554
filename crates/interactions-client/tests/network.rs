//! Over a real socket: what only the network can get wrong.
#![cfg(feature = "reqwest")]

use std::time::{Duration, Instant};

use interactions_client::{Backoff, Client, ErrorKind};
use interactions_types::CreateInteraction;
use serde_json::json;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn client(server: &MockServer) -> Client {
    Client::builder().api_key("key").base_url(server.uri()).build().expect("a client")
}

fn request() -> CreateInteraction {
    CreateInteraction::new("m", "x")
}

fn done() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"id": "v1_x", "status": "completed"}))
}

const EVENTS: [&str; 3] = [
    "data: {\"event_type\":\"interaction.created\",\"event_id\":\"e1\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"in_progress\"}}\n\n",
    "data: {\"event_type\":\"step.start\",\"event_id\":\"e2\",\"index\":0,\"step\":{\"type\":\"model_output\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}\n\n",
    "data: {\"event_type\":\"interaction.completed\",\"event_id\":\"e3\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\"}}\n\n",
];

fn sse(events: &[&str]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(events.concat(), "text/event-stream")
}

#[tokio::test]
async fn a_create_is_sent_as_the_service_wants_it() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/interactions"))
        .and(header("x-goog-api-key", "key"))
        .and(header("content-type", "application/json"))
        .and(header("accept", "application/json"))
        .and(body_partial_json(json!({"model": "m", "input": "x"})))
        .respond_with(done())
        .expect(1)
        .mount(&server)
        .await;
    let reply = client(&server).create(request()).with_reply().await.unwrap();
    assert_eq!((reply.value.id.as_str(), reply.status.as_u16()), ("v1_x", 200));
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_a_slow_one_is_left() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after-ms", "5");
    let post = || Mock::given(method("POST"));
    post().respond_with(busy).up_to_n_times(2).expect(2).mount(&server).await;
    post().respond_with(done()).expect(1).mount(&server).await;
    client(&server).create(request()).await.unwrap();

    let slow = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(done().set_delay(Duration::from_secs(30)))
        .mount(&slow)
        .await;
    let began = Instant::now();
    let call = client(&slow).create(request()).with_timeout(Duration::from_millis(200));
    let error = call.await.unwrap_err();
    assert!(error.is_timeout() && error.may_have_run(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_stream_goes_on_over_a_new_connection() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(header("accept", "text/event-stream"))
        .respond_with(sse(&EVENTS[..2]))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1/interactions/v1_x"))
        .and(query_param("last_event_id", "e2"))
        .respond_with(sse(&EVENTS[2..]))
        .expect(1)
        .mount(&server)
        .await;
    let events = client(&server).create(request()).stream().await.unwrap();
    assert_eq!(events.finish().await.unwrap().output_text(), "hi");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error_without_secrets() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let client = Client::builder()
        .api_key("hush")
        .base_url(format!("http://user:hush@{gone}/?key=hush"))
        .retry(Backoff::default().retries(1).initial(Duration::from_millis(1)))
        .build()
        .unwrap();
    let error = client.get("v1_x").extra_query("token", "hush").await.unwrap_err();
    assert_eq!((error.kind(), error.retries()), (ErrorKind::Transport, 1));
    assert!(!error.may_have_run());
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    assert!(error.to_string().contains(&gone.to_string()), "{error}");
}
