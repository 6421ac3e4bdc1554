//! Requests that are sent again, and requests that must not be.

use std::time::Duration;

use interactions_client::{Backoff, Client, ErrorKind, TransportErrorKind};
use interactions_testing::{Capture, Reply, capture};
use interactions_types::CreateInteraction;
use tokio::time::Instant;

const DONE: &str = r#"{"id":"v1_x","status":"completed"}"#;

fn client(service: &Capture) -> Client {
    Client::builder().transport(service.transport()).build().expect("a client")
}

fn create() -> CreateInteraction {
    CreateInteraction::new("m", "x")
}

fn busy() -> Reply {
    Reply::error(503, "unavailable", "busy")
}

#[tokio::test(start_paused = true)]
async fn a_busy_service_is_asked_five_times_in_all() {
    let service = capture([busy(), busy(), busy(), busy(), DONE.into()]);
    let begin = Instant::now();
    client(&service).create(create()).await.unwrap();
    let waited = begin.elapsed().as_secs_f64();
    assert!((5.6..=7.6).contains(&waited), "0.5 + 1 + 2 + 4 s, less a quarter at most: {waited}");
    let bodies: Vec<_> = service.requests().iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies.len(), 5);
    assert!(bodies.iter().all(|body| *body == bodies[0]));

    let service = capture(vec![busy(); 9]);
    let error = client(&service).create(create()).await.unwrap_err();
    assert_eq!((error.status(), error.retries(), service.requests().len()), (Some(503), 4, 5));
    assert!(error.to_string().contains("after 5 tries"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_service_says_how_long_to_wait() {
    let slow = busy().header("retry-after", "30");
    let service = capture([slow, DONE.into()]);
    let begin = Instant::now();
    client(&service).create(create()).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_may_have_run_is_not_repeated() {
    for kind in [TransportErrorKind::Interrupted, TransportErrorKind::Timeout] {
        let service = capture([Reply::failure(kind), DONE.into()]);
        let error = client(&service).create(create()).await.unwrap_err();
        assert!(error.may_have_run(), "{error}");
        assert_eq!(service.requests().len(), 1);

        let service = capture([Reply::failure(kind), DONE.into()]);
        let wanted =
            client(&service).create(create()).with_retry(Backoff::default().repeat_unsafe());
        wanted.await.unwrap();
        assert_eq!(service.requests().len(), 2);

        // Reading twice is reading once, and so is cancelling.
        let service = capture([Reply::failure(kind), DONE.into()]);
        client(&service).get("v1_x").await.unwrap();
        let service = capture([Reply::failure(kind), DONE.into()]);
        client(&service).cancel("v1_x").await.unwrap();
        assert_eq!(service.requests().len(), 2);
    }
    let service = capture([Reply::failure(TransportErrorKind::Connect), DONE.into()]);
    client(&service).create(create()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_stays_wrong() {
    for status in [400, 401, 403, 404, 413, 422] {
        let refused = Reply::error(status, "no", "no").header("x-request-id", "r-7");
        let service = capture([refused, DONE.into()]);
        let error = client(&service).create(create()).await.unwrap_err();
        assert_eq!((error.status(), error.retries()), (Some(status), 0));
        assert_eq!(error.request_id(), Some("r-7"));
        assert_eq!(service.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_covers_every_try_and_the_waits_between() {
    let service = capture(vec![busy(); 9]);
    let begin = Instant::now();
    let call = client(&service).create(create()).with_timeout(Duration::from_secs(2));
    let error = call.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api, "the reason is more use than the limit: {error}");
    assert!(begin.elapsed() <= Duration::from_secs(2));
    assert!(service.requests().len() < 5);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_as_often_as_it_takes() {
    let events = "data: {\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"completed\"}}\n\n";
    let service = capture([busy(), Reply::sse(events)]);
    let stream = client(&service).create(create()).stream().await.unwrap();
    assert_eq!(stream.finish().await.unwrap().id.as_str(), "v1_x");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_read_again_where_that_is_harmless() {
    let cut = || Reply::from(DONE).cut_after(10);
    let service = capture([cut(), cut(), DONE.into()]);
    client(&service).get("v1_x").await.unwrap();
    assert_eq!(service.requests().len(), 3);

    let service = capture([cut(), DONE.into()]);
    let error = client(&service).create(create()).await.unwrap_err();
    assert!(error.may_have_run(), "{error}");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_unanswered_try_has_erased_is_erased() {
    let gone = || Reply::error(404, "not_found", "no such interaction");
    let lost = Reply::failure(TransportErrorKind::Interrupted);
    client(&capture([lost, gone()])).delete("v1_x").await.unwrap();
    // A try that did not arrive has erased nothing.
    let unsent = Reply::failure(TransportErrorKind::Connect);
    for before in [unsent, busy()] {
        let error = client(&capture([before, gone()])).delete("v1_x").await.unwrap_err();
        assert_eq!(error.status(), Some(404));
    }
}
