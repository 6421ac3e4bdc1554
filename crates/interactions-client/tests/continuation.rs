//! Answers that were cut for length and go on.

use std::time::Duration;

use futures::StreamExt;
use interactions_client::{Client, Error, ErrorKind, EventStream, TransportErrorKind};
use interactions_testing::{Capture, Reply, capture, transcript};
use interactions_types::{CreateInteraction, Delta, Status, StreamEvent, Target};
use serde_json::{Value, json};

fn client(service: &Capture) -> Client {
    Client::builder().transport(service.transport()).build().expect("a client")
}

fn request() -> CreateInteraction {
    CreateInteraction::new("m", "tell me").system_instruction("be long")
}

/// A hop that says `text`, and asks to be continued if there is a token.
fn hop(id: &str, text: &str, token: Option<&str>) -> Value {
    let status = if token.is_some() { "requires_continuation" } else { "completed" };
    let mut hop = json!({"id": id, "status": status,
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": text}]}],
        "usage": {"total_input_tokens": 10, "total_output_tokens": 3, "total_tokens": 13}});
    if let Some(token) = token {
        hop["continuation_token"] = token.into();
    }
    hop
}

fn unary(hops: &[Value]) -> Vec<Reply> {
    hops.iter().map(|hop| Reply::json(hop.to_string())).collect()
}

fn bodies(service: &Capture) -> Vec<Value> {
    service.requests().iter().map(interactions_testing::Captured::json).collect()
}

#[tokio::test(start_paused = true)]
async fn stored_hops_are_chained_and_joined() {
    let service = capture(unary(&[
        hop("a", "one ", Some("t1")),
        hop("b", "two ", Some("t2")),
        hop("c", "three", None),
    ]));
    let first = request().previous_interaction_id("p");
    let reply = client(&service).create(first).with_reply().await.unwrap();
    let hops: Vec<_> = reply.hops.iter().map(ToString::to_string).collect();
    assert_eq!(hops, ["a", "b", "c"]);
    let whole = reply.value;
    assert_eq!((whole.id.as_str(), whole.output_text().as_str()), ("c", "one two three"));
    let usage = whole.usage.unwrap();
    assert_eq!((usage.total_tokens, usage.initial_input_tokens), (Some(39), Some(10)));

    let bodies = bodies(&service);
    assert_eq!(bodies[0]["previous_interaction_id"], "p");
    for (body, token, owner) in [(&bodies[1], "t1", "a"), (&bodies[2], "t2", "b")] {
        assert_eq!(body["continuation_token"], token);
        assert_eq!(body["previous_interaction_id"], owner);
        assert_eq!(body["system_instruction"], "be long");
        assert!(body.get("input").is_none(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn unstored_hops_send_their_input_again() {
    let service = capture(unary(&[hop("a", "one ", Some("t1")), hop("", "two", None)]));
    let whole = client(&service).create(request().store(false)).await.unwrap();
    assert_eq!(whole.output_text(), "one two");
    let body = &bodies(&service)[1];
    assert_eq!((&body["input"], &body["continuation_token"]), (&json!("tell me"), &json!("t1")));
    assert!(body.get("previous_interaction_id").is_none(), "{body}");
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_that_should_not() {
    let stops = |request: CreateInteraction, wanted: bool, answer: Value| async move {
        let service = capture(unary(&[answer]));
        let call = client(&service).create(request).automatic_continuation(wanted);
        call.await.unwrap();
        assert_eq!(service.requests().len(), 1);
    };
    let cut = || hop("a", "one", Some("t1"));
    stops(request(), false, cut()).await;
    stops(request().background(true), true, cut()).await;
    let service = capture(unary(&[cut()]));
    let call = client(&service).create(request().background(true)).automatic_continuation(false);
    let error = call.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(service.requests().is_empty());
    stops(request().target(Target::agent("deep-research")), true, cut()).await;
    stops(request().continuation_token("t1"), true, cut()).await;
    let mut without = cut();
    without["continuation_token"] = "".into();
    stops(request(), true, without).await;
    let mut other = cut();
    other["status"] = "incomplete".into();
    stops(request(), true, other).await;
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_fails_leaves_what_was_said_and_where_to_go_on() {
    let mut replies = unary(&[hop("a", "one ", Some("t1")), hop("b", "two ", Some("t2"))]);
    replies.push(Reply::error(400, "invalid_request", "no more"));
    for stored in [true, false] {
        let service = capture(replies.clone());
        let error = client(&service).create(request().store(stored)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Continuation, Some(400)));
        assert_eq!(error.partial().unwrap().output_text(), "one two ");
        let checkpoint = error.checkpoint().unwrap();
        assert_eq!(checkpoint.continuation_token, "t2");
        assert_eq!(checkpoint.interaction_id.as_ref().map(|id| id.as_str()), stored.then_some("b"));
        assert_eq!(checkpoint.hops.len(), 2);
    }
    // The first hop has nothing to lose: its error is what it is.
    let service = capture([Reply::error(400, "invalid_request", "no")]);
    let error = client(&service).create(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.checkpoint()), (ErrorKind::Api, None));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_covers_all_hops() {
    let busy = Reply::error(503, "unavailable", "busy").header("retry-after", "3");
    let mut replies = unary(&[hop("a", "one ", Some("t1"))]);
    replies.insert(0, busy.clone());
    replies.push(busy);
    let service = capture(replies);
    let call = client(&service).create(request()).with_timeout(Duration::from_secs(5));
    let error = call.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Continuation);
    assert_eq!(error.checkpoint().unwrap().continuation_token, "t1");
    assert_eq!(error.partial().unwrap().output_text(), "one ");
}

#[tokio::test(start_paused = true)]
async fn usage_of_the_first_hop_is_the_first_hop_s() {
    // A single answer has one hop; a later hop's count of its own is not the conversation's.
    let service = capture(unary(&[hop("a", "one", None)]));
    let reply = client(&service).create(request()).with_reply().await.unwrap();
    assert_eq!(reply.hops.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(reply.value.usage.unwrap().initial_input_tokens, Some(10));

    let (mut first, mut second) = (hop("a", "one ", Some("t1")), hop("b", "two", None));
    first["usage"].as_object_mut().unwrap().remove("total_input_tokens");
    second["usage"]["total_input_tokens"] = 99.into();
    let service = capture(unary(&[first, second]));
    let whole = client(&service).create(request()).await.unwrap();
    assert_eq!(whole.usage.unwrap().initial_input_tokens, None);
}

#[tokio::test(start_paused = true)]
async fn fields_in_extra_body_count_as_the_request_s_own() {
    let service = capture(unary(&[hop("a", "one ", Some("t1")), hop("", "two", None)]));
    let call = client(&service).create(request()).extra_body("store", false);
    assert_eq!(call.await.unwrap().output_text(), "one two");
    let body = &bodies(&service)[1];
    assert_eq!((&body["store"], &body["input"]), (&json!(false), &json!("tell me")));
    assert!(body.get("previous_interaction_id").is_none(), "{body}");
}

// Streams.

fn created(id: &str) -> Value {
    json!({"event_type": "interaction.created", "interaction": {"id": id, "status": "in_progress"}})
}

fn says(text: &str) -> Vec<Value> {
    vec![
        json!({"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}),
        json!({"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}}),
        json!({"event_type": "step.stop", "index": 0}),
    ]
}

fn checkpoint(id: &str, token: &str) -> Value {
    json!({"event_type": "interaction.status_update", "interaction_id": id,
        "status": "in_progress", "continuation_token": token})
}

fn ended(id: &str, token: Option<&str>) -> Value {
    let status = if token.is_some() { "requires_continuation" } else { "completed" };
    json!({"event_type": "interaction.completed",
        "interaction": {"id": id, "status": status, "continuation_token": token}})
}

fn sse(parts: &[&[Value]]) -> Reply {
    Reply::sse(transcript(&parts.concat()))
}

async fn open(service: &Capture, request: CreateInteraction) -> EventStream {
    client(service).create(request).stream().await.expect("a stream")
}

/// What a stream says, how often it was created and completed, and how it fails.
async fn read(mut stream: EventStream) -> (String, usize, usize, Option<Error>, EventStream) {
    let (mut text, mut begun, mut done) = (String::new(), 0, 0);
    while let Some(event) = stream.next().await {
        match event {
            Ok(StreamEvent::Created(_)) => begun += 1,
            Ok(StreamEvent::Completed(_)) => done += 1,
            Ok(StreamEvent::StepDelta(step)) => {
                if let Delta::Text(delta) = step.delta {
                    text += &delta.text;
                }
            }
            Ok(_) => {}
            Err(error) => return (text, begun, done, Some(error), stream),
        }
    }
    (text, begun, done, None, stream)
}

#[tokio::test(start_paused = true)]
async fn a_stream_passes_every_hop_through() {
    let service = capture([
        sse(&[&[created("a")], &says("one "), &[ended("a", Some("t1"))]]),
        sse(&[&[created("b")], &says("two"), &[ended("b", None)]]),
    ]);
    let (text, begun, done, error, stream) = read(open(&service, request()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!((text.as_str(), begun, done), ("one two", 2, 2));
    let whole = stream.interaction().unwrap();
    assert_eq!((whole.id.as_str(), whole.output_text().as_str()), ("b", "one two"));
    assert_eq!(whole.status, Status::Completed);
    let body = &bodies(&service)[1];
    assert_eq!((&body["previous_interaction_id"], &body["stream"]), (&json!("a"), &json!(true)));
    assert!(body.get("input").is_none());

    let service = capture([
        sse(&[&[created("a")], &says("one "), &[ended("a", Some("t1"))]]),
        sse(&[&[created("b")], &says("two"), &[ended("b", None)]]),
    ]);
    let whole = open(&service, request()).await.finish().await.unwrap();
    assert_eq!(whole.output_text(), "one two");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_to_go_on_does_not() {
    let service = capture([sse(&[&[created("a")], &says("one"), &[ended("a", Some("t1"))]])]);
    let call = client(&service).create(request()).automatic_continuation(false).stream();
    let (.., error, stream) = read(call.await.unwrap()).await;
    assert!(error.is_none());
    assert_eq!(stream.interaction().unwrap().continuation_token.as_deref(), Some("t1"));
    // A token that was sent already is no progress.
    let service = capture([sse(&[&[created("a")], &says("one"), &[ended("a", Some("t1"))]])]);
    let (.., error, _) = read(open(&service, request().continuation_token("t1")).await).await;
    assert!(error.is_none());
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_breaks_at_a_checkpoint_is_taken_up_there() {
    let service = capture([
        sse(&[&[created("a")], &says("one "), &[checkpoint("a", "t1")]]),
        sse(&[&[created("b")], &says("two"), &[ended("b", None)]]),
    ]);
    let unstored = request().store(false);
    let (text, .., error, _) = read(open(&service, unstored).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "one two");
    let body = &bodies(&service)[1];
    assert_eq!((&body["continuation_token"], &body["input"]), (&json!("t1"), &json!("tell me")));
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_breaks_after_output_is_not_repeated() {
    let service = capture([sse(&[&[created("a")], &[checkpoint("a", "t1")], &says("one ")])]);
    let (text, .., error, _) = read(open(&service, request().store(false)).await).await;
    let error = error.unwrap();
    assert_eq!((text.as_str(), error.kind()), ("one ", ErrorKind::Continuation));
    let checkpoint = error.checkpoint().unwrap();
    assert_eq!((checkpoint.continuation_token.as_str(), &checkpoint.interaction_id), ("t1", &None));
    assert_eq!(error.partial().unwrap().output_text(), "one ");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stored_hop_without_event_ids_uses_its_checkpoint() {
    let service = capture([
        sse(&[&[created("a")], &says("one "), &[checkpoint("a", "t1")]]),
        sse(&[&[created("b")], &says("two"), &[ended("b", None)]]),
    ]);
    let (text, .., error, _) = read(open(&service, request()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "one two");
    assert_eq!(bodies(&service)[1]["previous_interaction_id"], "a");
}

#[tokio::test(start_paused = true)]
async fn four_breaks_at_one_place_are_the_end() {
    let at_the_checkpoint = sse(&[&[created("a")], &says("one "), &[checkpoint("a", "t1")]]);
    let nothing = || Reply::sse("");
    let service =
        capture([at_the_checkpoint, nothing(), nothing(), nothing(), nothing(), nothing()]);
    let (.., error, _) = read(open(&service, request().store(false)).await).await;
    let error = error.unwrap();
    assert_eq!(error.checkpoint().unwrap().continuation_token, "t1");
    assert_eq!(service.requests().len(), 5, "the first, one from the checkpoint, three more");
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_token_is_no_checkpoint() {
    let service = capture([sse(&[&[created("a")], &says("one ")])]);
    let begun = request().store(false).continuation_token("mine");
    let (.., error, _) = read(open(&service, begun).await).await;
    assert_eq!(error.unwrap().checkpoint(), None);
}

#[tokio::test(start_paused = true)]
async fn a_next_hop_that_cannot_be_opened_says_where_to_go_on() {
    let service = capture([
        sse(&[&[created("a")], &says("one "), &[ended("a", Some("t1"))]]),
        Reply::failure(TransportErrorKind::Interrupted),
    ]);
    let (text, .., error, _) = read(open(&service, request()).await).await;
    let error = error.unwrap();
    assert_eq!((text.as_str(), error.kind()), ("one ", ErrorKind::Continuation));
    let checkpoint = error.checkpoint().unwrap();
    assert_eq!(checkpoint.continuation_token, "t1");
    assert_eq!(checkpoint.interaction_id.as_ref().unwrap().as_str(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_next_hop_that_cannot_be_reached_is_tried_again() {
    let first = sse(&[&[created("a")], &says("one "), &[ended("a", Some("t1"))]]);
    let second = sse(&[&[created("b")], &says("two"), &[ended("b", None)]]);
    let lost = || Reply::failure(TransportErrorKind::Interrupted);
    // Lost before it began, and lost as soon as it had.
    for broken in [lost(), sse(&[])] {
        let service = capture([first.clone(), broken, second.clone()]);
        let (text, _, _, error, _) = read(open(&service, request()).await).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(text, "one two");
        let bodies = bodies(&service);
        assert_eq!(bodies.len(), 3);
        assert_eq!(bodies[1], bodies[2]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_error_event_nothing_goes_on() {
    let failed = json!({"event_type": "error", "error": {"code": "api_error", "message": "no"}});
    let service = capture([sse(&[&[created("a")], &[checkpoint("a", "t1")], &[failed]])]);
    let (.., error, _) = read(open(&service, request().store(false)).await).await;
    let error = error.unwrap();
    assert_eq!((error.code(), error.checkpoint()), (Some("api_error"), None));
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_final_state_decides_and_clears_checkpoints() {
    let mut last = ended("a", Some("t1"));
    last["interaction"]["continuation_token"] = Value::Null;
    let service =
        capture([sse(&[&[created("a")], &[checkpoint("a", "t1")], &says("one"), &[last]])]);
    let (text, .., error, _) = read(open(&service, request()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!((text.as_str(), service.requests().len()), ("one", 1));
}

#[tokio::test(start_paused = true)]
async fn a_break_before_any_output_tries_the_callers_token_again() {
    let service = capture([
        sse(&[&[created("a")]]),
        sse(&[&[created("b")], &says("one"), &[ended("b", None)]]),
    ]);
    let begun = request().store(false).continuation_token("mine");
    let (text, .., error, _) = read(open(&service, begun).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "one");
    let body = &bodies(&service)[1];
    assert_eq!((&body["continuation_token"], &body["input"]), (&json!("mine"), &json!("tell me")));
}

#[tokio::test(start_paused = true)]
async fn progress_counts_the_breaks_anew() {
    let at = |id: &str, token: &str| sse(&[&[created(id)], &says("x"), &[checkpoint(id, token)]]);
    let mut replies = vec![at("a", "t1")];
    for (id, token) in [("b", "t2"), ("c", "t3"), ("d", "t4"), ("e", "t5")] {
        replies.extend([Reply::sse(""), Reply::sse(""), at(id, token)]);
    }
    replies.push(sse(&[&[created("z")], &says("!"), &[ended("z", None)]]));
    let service = capture(replies);
    let (text, .., error, _) = read(open(&service, request().store(false)).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text, "xxxxx!");
}

#[tokio::test(start_paused = true)]
async fn a_stream_s_time_limit_leaves_its_checkpoint() {
    let begin = sse(&[&[created("a")], &says("one "), &[checkpoint("a", "t1")]]);
    let service = capture([begin.silent_after(usize::MAX)]);
    let call = client(&service).create(request().store(false)).with_timeout(Duration::from_secs(9));
    let (text, .., error, _) = read(call.stream().await.unwrap()).await;
    let error = error.unwrap();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(text, "one ");
    assert_eq!(error.checkpoint().unwrap().continuation_token, "t1");
}
