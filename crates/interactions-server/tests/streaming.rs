//! Streams: their order, their ids, and taking them up again anywhere.

mod harness;

use futures::StreamExt;
use harness::Harness;
use interactions_types::{
    Accumulator, CreateInteraction, EventId, InteractionId, Status, StreamEvent,
};
use serde_json::{Value, json};

async fn events(stream: interactions_client::EventStream) -> Vec<StreamEvent> {
    stream.map(Result::unwrap).collect().await
}

fn kinds(events: &[StreamEvent]) -> Vec<&str> {
    events.iter().map(StreamEvent::kind).collect()
}

#[tokio::test]
async fn a_stored_stream_is_what_can_be_read_later() {
    let server = Harness::new().await;
    let request = CreateInteraction::new("scripted", "think about it");
    let sent = events(server.client.create(request).stream().await.unwrap()).await;
    assert_eq!(
        kinds(&sent)[..3],
        ["interaction.created", "interaction.status_update", "step.start"]
    );
    assert_eq!(kinds(&sent).last(), Some(&"interaction.completed"));
    let ids: Vec<EventId> =
        sent.iter().map(|event| event.event_id().expect("every event has an id")).collect();

    let mut accumulator = Accumulator::new();
    for event in &sent {
        accumulator.push(event).unwrap();
    }
    let streamed = accumulator.into_interaction();
    let stored = server.client.get(&streamed.id).await.unwrap();
    assert_eq!(stored.status, Status::Completed);
    assert_eq!(stored.steps[1..], streamed.steps, "after the user's input");
    assert_eq!(stored.usage, streamed.usage);

    let again = events(server.client.get(&streamed.id).stream().await.unwrap()).await;
    assert_eq!(again, sent);
    for (index, id) in ids.iter().enumerate() {
        let stream =
            server.client.get(&streamed.id).stream().last_event_id(id.clone()).await.unwrap();
        let rest: Vec<_> = stream.collect::<Vec<_>>().await;
        if index + 1 < sent.len() {
            let rest: Vec<_> = rest.into_iter().map(Result::unwrap).collect();
            assert_eq!(rest, sent[index + 1..], "after event {index}");
        }
    }
}

#[tokio::test]
async fn frames_are_named_and_the_stream_says_that_it_is_done() {
    let server = Harness::new().await;
    let body = json!({"model": "scripted", "input": "hi", "stream": true}).to_string();
    let (status, transcript) = server.raw("POST", "/v1beta/interactions?alt=sse", body).await;
    let transcript = transcript.as_str().unwrap();
    assert_eq!(status, 200);
    assert!(transcript.ends_with("event: done\ndata: [DONE]\n\n"), "{transcript}");
    for frame in transcript.split("\n\n").filter(|frame| frame.contains("event_type")) {
        let (name, data) = frame.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["event_type"].as_str());
    }
    assert!(!transcript.contains("\"steps\""), "the completed event leaves the steps out");
}

#[tokio::test]
async fn a_running_interaction_can_be_joined_by_many() {
    let server = Harness::new().await;
    let request = CreateInteraction::new("scripted", "count to 20").background(true);
    let started = server.client.create(request).await.unwrap();
    assert_eq!((started.status, started.steps.len()), (Status::InProgress, 0));
    let whole = server.client.get(&started.id).stream().await.unwrap();
    let mut half = server.client.get(&started.id).stream().await.unwrap();
    let mut first = Vec::new();
    while first.len() < 6 {
        first.push(half.next().await.unwrap().unwrap());
    }
    let last = half.last_event_id().unwrap().clone();
    drop(half);
    let rest =
        events(server.client.get(&started.id).stream().last_event_id(last).await.unwrap()).await;
    let whole = events(whole).await;
    assert_eq!([first, rest].concat(), whole);
    let numbers = (1..=20).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(server.client.get(&started.id).await.unwrap().output_text(), numbers);
}

#[tokio::test]
async fn a_stored_run_outlives_its_reader_and_an_unstored_one_does_not() {
    let server = Harness::new().await;
    let request = CreateInteraction::new("scripted", "count to 10");
    let mut stream = server.client.create(request.clone()).stream().await.unwrap();
    let StreamEvent::Created(created) = stream.next().await.unwrap().unwrap() else {
        panic!("created comes first")
    };
    drop(stream);
    assert_eq!(server.wait(&created.interaction.id).await.status, Status::Completed);

    let mut stream = server.client.create(request.store(false)).stream().await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first.event_id(), None, "what is not stored cannot be resumed");
    drop(stream);
}

#[tokio::test]
async fn resuming_at_a_place_that_does_not_exist_is_refused() {
    let server = Harness::new().await;
    let done = server.client.create(CreateInteraction::new("scripted", "hi")).await.unwrap();
    for last in ["nonsense", "evt_AAAAAAAAAAA", "evt_AAAAAAAAJw8"] {
        let refusal = server.client.get(&done.id).stream().last_event_id(last).await.unwrap_err();
        assert_eq!(
            (refusal.status(), refusal.code()),
            (Some(400), Some("invalid_request")),
            "{last}"
        );
    }
    let (status, _) =
        server.raw("GET", &format!("/v1/interactions/{}?last_event_id=x", done.id), "").await;
    assert_eq!(status, 400, "last_event_id needs stream=true");
}

#[tokio::test]
async fn a_failing_stream_says_why_and_ends() {
    let server = Harness::new().await;
    let body = json!({"model": "scripted", "input": "fail please", "stream": true}).to_string();
    let (_, transcript) = server.raw("POST", "/v1/interactions", body).await;
    let transcript = transcript.as_str().unwrap();
    let names: Vec<_> =
        transcript.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names[names.len() - 3..], ["error", "interaction.completed", "done"]);
    assert!(transcript.contains("\"status\":\"failed\""));

    let error = server
        .client
        .create(CreateInteraction::new("scripted", "fail"))
        .stream()
        .await
        .unwrap()
        .finish()
        .await;
    assert_eq!(error.unwrap_err().code(), Some("api_error"));
}

#[tokio::test]
async fn a_place_belongs_to_its_interaction_and_the_last_one_is_followed_by_the_end() {
    let server = Harness::new().await;
    let create = |text: &str| CreateInteraction::new("scripted", text);
    let mut last = Vec::new();
    for text in ["one", "two"] {
        let mut events = server.client.create(create(text)).stream().await.unwrap();
        while let Some(event) = events.next().await {
            event.unwrap();
        }
        last.push((events.id().unwrap().clone(), events.last_event_id().unwrap().clone()));
    }
    let path = |id: &InteractionId, event: &EventId| {
        format!("/v1/interactions/{id}?stream=true&last_event_id={event}")
    };
    let (status, body) = server.raw("GET", &path(&last[0].0, &last[0].1), "").await;
    assert_eq!((status, body.as_str().unwrap().contains("[DONE]")), (200, true), "{body}");
    let (status, body) = server.raw("GET", &path(&last[0].0, &last[1].1), "").await;
    assert_eq!(status, 400, "{body}");
}
