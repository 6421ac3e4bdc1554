//! The exam for clients: scripted services, and what a client must make of them.

use std::time::Duration;

use async_trait::async_trait;
use interactions_transport::{SharedTransport, TransportErrorKind};
use interactions_types::{CreateInteraction, Interaction, InteractionId, Status};
use serde_json::{Value, json};

use super::{Report, ensure};
use crate::fixtures::{self, fixtures};
use crate::{Capture, Reply, capture, transcript};

/// A client that is examined: how to have it make calls over a transport.
///
/// Errors are texts; the exam asks only whether there was one.
#[async_trait]
pub trait ClientUnderTest: Sync {
    /// Creates an interaction and gives it.
    async fn create(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String>;

    /// Creates an interaction, reads its stream to the end and gives what the events make.
    async fn stream(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String>;

    /// Reads a stored interaction.
    async fn get(
        &self,
        transport: SharedTransport,
        id: InteractionId,
    ) -> Result<Interaction, String>;
}

/// Examines a client. Waits between retries are real, so it takes some seconds; a client that does
/// not come back fails the rule after a minute.
pub async fn client(client: &impl ClientUnderTest) -> Report {
    let client = &InTime(client);
    let mut report = Report::default();
    report.note("requests are sent with all they have", sends(client).await);
    report.note("replies are kept with all they have", keeps(client).await);
    report.note("streams are read with all they have", understands(client).await);
    report.note("streams are read however they are cut", reads(client).await);
    report.note("a stream that breaks is taken up after its last event", resumes(client).await);
    report.note("a stream without its end is an error", ends(client).await);
    report.note("an error event is an error", fails(client).await);
    report.note("a busy service is asked again", retries(client).await);
    report.note("a refusal is not asked again", accepts(client).await);
    report.note("a create that may have run is not repeated", spares(client).await);
    report.note("an answer cut for length goes on", continues(client).await);
    report.note("a stream cut for length goes on", streams_on(client).await);
    report
}

/// No call of the exam takes an honest client longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that is given so much time for each call.
struct InTime<'a, C>(&'a C);

async fn in_time<T>(call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = || Err(format!("nothing came within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| late())
}

#[async_trait]
impl<C: ClientUnderTest> ClientUnderTest for InTime<'_, C> {
    async fn create(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String> {
        in_time(self.0.create(transport, request)).await
    }

    async fn stream(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String> {
        in_time(self.0.stream(transport, request)).await
    }

    async fn get(
        &self,
        transport: SharedTransport,
        id: InteractionId,
    ) -> Result<Interaction, String> {
        in_time(self.0.get(transport, id)).await
    }
}

fn request() -> CreateInteraction {
    CreateInteraction::new("m", "x")
}

/// An answer that says `words`, a delta each, with event ids.
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

const WORDS: [&str; 3] = ["one ", "two ", "three"];
const TEXT: &str = "one two three";

fn says(interaction: &Interaction, text: &str) -> Result<(), String> {
    ensure(interaction.output_text() == text, || format!("it says `{}`", interaction.output_text()))
}

fn asked(service: &Capture, times: usize) -> Result<(), String> {
    let seen = service.requests().len();
    ensure(seen == times, || format!("the service was asked {seen} times instead of {times}"))
}

async fn sends(client: &impl ClientUnderTest) -> Result<(), String> {
    for fixture in fixtures("req_") {
        let Ok(Value::Object(whole)) = serde_json::from_str(fixture.text) else { continue };
        let named = whole.contains_key("model") || whole.contains_key("agent");
        if !named || !whole.contains_key("input") || whole.contains_key("stream") {
            continue;
        }
        let request = fixtures::check_roundtrip::<CreateInteraction>(fixture.text)
            .map_err(|error| format!("{}: {error}", fixture.name))?;
        let service = capture([Reply::json(r#"{"id":"v1_x","status":"completed"}"#)]);
        client.create(service.transport(), request).await?;
        asked(&service, 1)?;
        let sent = service.requests()[0].json();
        for (name, value) in &whole {
            ensure(fixtures::same(value, &sent[name]), || {
                format!("{}: `{name}` is sent as {}", fixture.name, sent[name])
            })?;
        }
    }
    Ok(())
}

async fn understands(client: &impl ClientUnderTest) -> Result<(), String> {
    let mut read = 0;
    for fixture in fixtures("stream_") {
        let Ok(made) = fixtures::check_events(fixture.text) else { continue };
        if made.status == Status::RequiresContinuation {
            continue;
        }
        let service = capture([Reply::sse(fixture.text)]);
        let told = client.stream(service.transport(), request()).await?;
        let json = |interaction: &Interaction| {
            serde_json::to_value(interaction).map_err(|error| error.to_string())
        };
        ensure(fixtures::same(&json(&told)?, &json(&made)?), || {
            format!("{} is read as something else", fixture.name)
        })?;
        read += 1;
    }
    ensure(read > 5, || format!("only {read} streams of the corpus are whole"))
}

async fn keeps(client: &impl ClientUnderTest) -> Result<(), String> {
    for fixture in fixtures("resp_").filter(|fixture| fixture.text.contains("\"steps\"")) {
        let Ok(Value::Object(whole)) = serde_json::from_str(fixture.text) else { continue };
        // Other resources have steps inside, too.
        if !whole.contains_key("steps") {
            continue;
        }
        let service = capture([Reply::json(fixture.text)]);
        let read = client.get(service.transport(), "v1_x".into()).await?;
        let again = serde_json::to_value(&read).map_err(|error| error.to_string())?;
        ensure(fixtures::same(&Value::Object(whole), &again), || {
            format!("{} has changed", fixture.name)
        })?;
    }
    Ok(())
}

async fn reads(client: &impl ClientUnderTest) -> Result<(), String> {
    let text = format!(": a comment\n\n{}data: [DONE]\n\n", transcript(&events(&WORDS)));
    for whole in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        for bytes in [1, 2, 7, usize::MAX] {
            let service = capture([Reply::sse(whole.clone()).in_pieces_of(bytes)]);
            says(&client.stream(service.transport(), request()).await?, TEXT)?;
        }
    }
    Ok(())
}

async fn resumes(client: &impl ClientUnderTest) -> Result<(), String> {
    let all = events(&WORDS);
    let cut = transcript(&all[..4]).len() + 9;
    let service =
        capture([Reply::sse(transcript(&all)).cut_after(cut), Reply::sse(transcript(&all[4..]))]);
    says(&client.stream(service.transport(), request()).await?, TEXT)?;
    asked(&service, 2)?;
    let query = service.requests()[1].uri.query().unwrap_or_default().to_owned();
    let fits = query.contains("last_event_id=e3") && query.contains("stream=true");
    ensure(fits, || format!("it asks with `{query}`"))
}

async fn ends(client: &impl ClientUnderTest) -> Result<(), String> {
    let head = transcript(&events(&WORDS)[..4]);
    let service = capture([Reply::sse(head)]);
    let read = client.stream(service.transport(), request().store(false)).await;
    ensure(read.is_err(), || "it takes half an answer for a whole one".to_owned())
}

async fn fails(client: &impl ClientUnderTest) -> Result<(), String> {
    let error = json!({"event_type": "error", "error": {"code": "api_error", "message": "no"}});
    let service = capture([Reply::sse(transcript(&[events(&WORDS)[0].clone(), error]))]);
    let read = client.stream(service.transport(), request()).await;
    ensure(read.is_err(), || "it does not notice".to_owned())
}

async fn retries(client: &impl ClientUnderTest) -> Result<(), String> {
    let busy = || Reply::error(503, "unavailable", "busy").header("retry-after-ms", "1");
    let done = Reply::json(r#"{"id":"v1_x","status":"completed"}"#);
    let service = capture([busy(), busy(), done]);
    client.create(service.transport(), request()).await?;
    asked(&service, 3)
}

async fn accepts(client: &impl ClientUnderTest) -> Result<(), String> {
    for status in [400, 401, 403, 404] {
        let service = capture([Reply::error(status, "no", "no"), Reply::json("{}")]);
        let answer = client.create(service.transport(), request()).await;
        ensure(answer.is_err(), || format!("it takes {status} for success"))?;
        asked(&service, 1)?;
    }
    Ok(())
}

async fn spares(client: &impl ClientUnderTest) -> Result<(), String> {
    let service = capture([Reply::failure(TransportErrorKind::Interrupted), Reply::json("{}")]);
    let answer = client.create(service.transport(), request()).await;
    ensure(answer.is_err(), || "it does not notice".to_owned())?;
    asked(&service, 1)
}

async fn continues(client: &impl ClientUnderTest) -> Result<(), String> {
    let said =
        |text: &str| json!([{"type": "model_output", "content": [{"type": "text", "text": text}]}]);
    let first = json!({"id": "a", "status": "requires_continuation", "continuation_token": "t", "steps": said("one ")});
    let second = json!({"id": "b", "status": "completed", "steps": said("two")});
    let service = capture([first, second].map(|hop| Reply::json(hop.to_string())));
    says(&client.create(service.transport(), request()).await?, "one two")?;
    let body = service.requests()[1].json();
    let fits = body["continuation_token"] == "t"
        && body["previous_interaction_id"] == "a"
        && body.get("input").is_none();
    ensure(fits, || format!("it goes on with {body}"))
}

async fn streams_on(client: &impl ClientUnderTest) -> Result<(), String> {
    let first = fixtures("stream_requires_continuation").next();
    let first = first.ok_or_else(|| "the corpus has no such stream".to_owned())?;
    let rest = events(&["part2"]);
    let service = capture([Reply::sse(first.text), Reply::sse(transcript(&rest))]);
    says(&client.stream(service.transport(), request()).await?, "part1 part2")?;
    asked(&service, 2)?;
    let body = service.requests()[1].json();
    let fits = body["continuation_token"] == "tok1"
        && body["previous_interaction_id"] == "v1_h1"
        && body["stream"] == true
        && body.get("input").is_none();
    ensure(fits, || format!("it goes on with {body}"))
}
