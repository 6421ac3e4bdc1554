//! The exam for servers: raw requests, and what must come back.

use std::time::Duration;

use http::{Method, Request};
use interactions_transport::sse::Decoder;
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use interactions_types::{Accumulator, Interaction, Status, StreamEvent};
use serde_json::{Value, json};

use super::{Report, ensure};
use crate::fixtures::{check_events, check_roundtrip, fixtures};

/// No single answer may take longer, the model's time included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Examines a server whose `model` answers any text.
///
/// `base_url` ends with the version, for example `http://127.0.0.1:8080/v1`. The transport brings
/// the key if the server wants one. Some forty short interactions are created; most are deleted.
pub async fn server(transport: SharedTransport, base_url: &str, model: &str) -> Report {
    let server = Server { transport, base: base_url.trim_end_matches('/'), model };
    let mut report = Report::default();
    report.note("a create answers with an interaction that can be read", server.creates().await);
    report
        .note("a stream is created, grows, completes and ends with [DONE]", server.streams().await);
    report.note("a stored stream can be taken up after each of its events", server.resumes().await);
    report.note("a conversation goes on from a stored turn, and forks", server.continues().await);
    report.note("background work answers at once and ends by itself", server.works().await);
    report.note("requests of the corpus are understood", server.understands().await);
    report.note("what is not stored cannot be read", server.forgets().await);
    report.note("what is deleted is gone", server.deletes().await);
    report.note("what has completed cannot be cancelled", server.keeps().await);
    for (rule, body, statuses) in refusals(model) {
        report.note(rule, server.refuses(body, statuses).await);
    }
    report.note("ids that nobody has are 404", server.misses().await);
    report
}

/// A create with these fields in it.
fn body(model: &str, more: &Value) -> String {
    let mut body = json!({"model": model, "input": "Say hello."});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

/// Requests that have to be refused, and by which statuses.
fn refusals(model: &str) -> Vec<(&'static str, String, &'static [u16])> {
    let body = |more: Value| body(model, &more);
    vec![
        ("JSON that is broken off is 400", r#"{"model": "#.to_owned(), &[400]),
        ("a body that is no object is 400", "[]".to_owned(), &[400]),
        ("an unknown field is 400", body(json!({"temprature": 1})), &[400]),
        (
            "an unknown field further down is 400",
            body(json!({"generation_config": {"x": 1}})),
            &[400],
        ),
        ("a wrong type is 400", body(json!({"store": "yes"})), &[400]),
        ("an unknown model is 404", body(json!({"model": "no-such-model"})), &[404]),
        ("model and agent exclude each other", body(json!({"agent": "a"})), &[400]),
        (
            "background work has to be stored",
            body(json!({"store": false, "background": true})),
            &[400],
        ),
        ("an empty input is 400", body(json!({"input": []})), &[400]),
        (
            "an unknown earlier turn is 404",
            body(json!({"previous_interaction_id": "v1_none"})),
            &[404],
        ),
    ]
}

/// Whether every model can take a request: text and functions, and nothing kept elsewhere.
fn is_plain(body: &Value) -> bool {
    const PLAIN: [&str; 8] = [
        "model",
        "input",
        "stream",
        "store",
        "background",
        "system_instruction",
        "generation_config",
        "tools",
    ];
    let fields = body.as_object().into_iter().flat_map(serde_json::Map::keys);
    let tools = body["tools"].as_array().into_iter().flatten();
    let contents = match &body["input"] {
        Value::Array(steps) => steps.clone(),
        one => vec![one.clone()],
    };
    let texts = contents.iter().all(|content| match content["type"].as_str() {
        None => content.is_string(),
        Some("user_input" | "model_output") => {
            let parts = content["content"].as_array().into_iter().flatten();
            { parts }.all(|part| part["type"] == "text")
        }
        Some(kind) => matches!(kind, "text" | "thought" | "function_call" | "function_result"),
    });
    texts && { fields }.all(|name| PLAIN.contains(&name.as_str())) && { tools }
        .all(|tool| tool["type"] == "function")
}

struct Server<'a> {
    transport: SharedTransport,
    base: &'a str,
    model: &'a str,
}

struct Answer {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is not JSON: {error}"))
    }

    fn interaction(&self) -> Result<Interaction, String> {
        ensure(self.status == 200, || self.shown())?;
        ensure(self.kind.starts_with("application/json"), || {
            format!("content type {}", self.kind)
        })?;
        check_roundtrip(&self.text()).map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The events and whether `[DONE]` ends them.
    fn events(&self) -> Result<(Vec<StreamEvent>, bool), String> {
        ensure(self.status == 200, || self.shown())?;
        ensure(self.kind.starts_with("text/event-stream"), || {
            format!("content type {}", self.kind)
        })?;
        let mut decoder = Decoder::new();
        decoder.push(&self.body);
        let (mut events, mut done) = (Vec::new(), false);
        while let Some(frame) = decoder.next_frame() {
            let frame = frame.map_err(|error| error.to_string())?;
            ensure(!done, || "something follows [DONE]".to_owned())?;
            if frame.is_done() {
                done = true;
                continue;
            }
            // Clients go by the field inside, whatever the name of the frame is.
            let event =
                StreamEvent::decode(None, frame.data()).map_err(|error| error.to_string())?;
            events.push(event);
        }
        Ok((events, done))
    }

    fn shown(&self) -> String {
        format!("{} {}", self.status, self.text().chars().take(200).collect::<String>())
    }
}

impl Server<'_> {
    async fn send(&self, method: Method, path: &str, body: String) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        request.extensions_mut().insert(Timeouts::default().with_total(PATIENCE));
        let exchange = async {
            let response = self.transport.send(request).await.map_err(|e| e.to_string())?;
            let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
            let (status, kind) = (response.status().as_u16(), kind.unwrap_or_default().to_owned());
            let body = response.into_body().collect(1 << 26).await.map_err(|e| e.to_string())?;
            Ok(Answer { status, kind, body: body.to_vec() })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| format!("no answer within {PATIENCE:?}"))?
    }

    async fn post(&self, more: Value) -> Result<Answer, String> {
        self.send(Method::POST, "/interactions", body(self.model, &more)).await
    }

    async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(Method::GET, &format!("/interactions/{path}"), String::new()).await
    }

    async fn creates(&self) -> Result<(), String> {
        let answer = self.post(json!({})).await?;
        let made = answer.interaction()?;
        ensure(made.status == Status::Completed, || format!("the status is {}", made.status))?;
        ensure(!made.id.as_str().is_empty(), || "it has no id".to_owned())?;
        ensure(!made.output_text().is_empty(), || "it has no text".to_owned())?;
        let steps = answer.json()?["steps"].as_array().cloned().unwrap_or_default();
        ensure(steps.iter().all(|step| step["type"].is_string()), || {
            "a step has no type".to_owned()
        })?;
        let stored = self.get(made.id.as_str()).await?.interaction()?;
        let same = stored.id == made.id && stored.output_text() == made.output_text();
        ensure(same, || "what is stored is something else".to_owned())?;
        self.clear(&made).await
    }

    /// Sends what the service's documents send, as far as any model can take it.
    async fn understands(&self) -> Result<(), String> {
        let mut taken = 0;
        for fixture in fixtures("req_") {
            let Ok(mut body) = serde_json::from_str::<Value>(fixture.text) else { continue };
            if !body["model"].is_string() || body.get("input").is_none() {
                continue;
            }
            body["model"] = self.model.into();
            let answer = self.send(Method::POST, "/interactions", body.to_string()).await?;
            let in_it = |why: String| format!("{}: {why}", fixture.name);
            if !is_plain(&body) {
                // What a model cannot do, or what is not there, may be refused, but in order.
                match answer.status {
                    200 => self.discard(&answer).await?,
                    400..500 => self.is_error(&answer, &[answer.status]).map_err(in_it)?,
                    _ => return Err(in_it(answer.shown())),
                }
                continue;
            }
            taken += 1;
            let made = if body["stream"] == true {
                answer.events().map_err(in_it)?;
                check_events(&answer.text()).map_err(|error| in_it(error.to_string()))?
            } else {
                answer.interaction().map_err(in_it)?
            };
            ensure(made.status != Status::Failed, || in_it("it fails".to_owned()))?;
            self.discard(&answer).await?;
        }
        ensure(taken > 5, || format!("only {taken} requests of the corpus are for every model"))
    }

    async fn stream(&self) -> Result<(Interaction, Vec<StreamEvent>), String> {
        let answer = self.post(json!({"stream": true})).await?;
        let (events, done) = answer.events()?;
        check_events(&answer.text()).map_err(|error| error.to_string())?;
        ensure(done, || "there is no [DONE]".to_owned())?;
        let kinds: Vec<&str> = events.iter().map(StreamEvent::kind).collect();
        let framed = kinds.first() == Some(&"interaction.created")
            && kinds.last() == Some(&"interaction.completed");
        ensure(framed, || format!("the events are {kinds:?}"))?;
        let mut accumulator = Accumulator::new();
        for event in &events {
            accumulator.push(event).map_err(|error| error.to_string())?;
        }
        Ok((accumulator.into_interaction(), events))
    }

    async fn streams(&self) -> Result<(), String> {
        let (told, _) = self.stream().await?;
        let stored = self.get(told.id.as_str()).await?.interaction()?;
        let same = stored.output_text() == told.output_text() && stored.status == told.status;
        ensure(same, || "the events tell something else than what is stored".to_owned())?;
        self.clear(&told).await
    }

    async fn resumes(&self) -> Result<(), String> {
        let (told, events) = self.stream().await?;
        let id = &told.id;
        let (again, _) = self.get(&format!("{id}?stream=true")).await?.events()?;
        ensure(again == events, || "a replay differs from the stream".to_owned())?;
        for (number, event) in events.iter().enumerate() {
            let last = event.event_id().ok_or_else(|| format!("event {number} has no id"))?;
            // Event ids are the server's own; they may have characters that end a parameter.
            let last: String =
                url::form_urlencoded::byte_serialize(last.as_str().as_bytes()).collect();
            let path = format!("{id}?stream=true&last_event_id={last}");
            let (rest, done) = self.get(&path).await?.events()?;
            ensure(done && rest == events[number + 1..], || {
                format!("after event {number}, {} events come", rest.len())
            })?;
        }
        let answer = self.get(&format!("{id}?stream=true&last_event_id=nonsense")).await?;
        self.is_error(&answer, &[400])?;
        self.clear(&told).await
    }

    async fn continues(&self) -> Result<(), String> {
        let first = self.post(json!({})).await?.interaction()?;
        for _ in 0..2 {
            let next =
                self.post(json!({"previous_interaction_id": first.id})).await?.interaction()?;
            let named = next.previous_interaction_id.as_ref() == Some(&first.id);
            ensure(named && next.id != first.id, || "it does not name the turn before".to_owned())?;
            self.clear(&next).await?;
        }
        self.clear(&first).await
    }

    async fn works(&self) -> Result<(), String> {
        let begun = self.post(json!({"background": true})).await?.interaction()?;
        let mut state = begun;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while state.status.is_running() {
            ensure(tokio::time::Instant::now() < deadline, || "it does not end".to_owned())?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            state = self.get(state.id.as_str()).await?.interaction()?;
        }
        ensure(state.status == Status::Completed, || format!("it ends as {}", state.status))?;
        self.clear(&state).await
    }

    async fn forgets(&self) -> Result<(), String> {
        let made = self.post(json!({"store": false})).await?.interaction()?;
        if made.id.as_str().is_empty() {
            return Ok(());
        }
        let answer = self.get(made.id.as_str()).await?;
        self.is_error(&answer, &[404])
    }

    async fn deletes(&self) -> Result<(), String> {
        let made = self.post(json!({})).await?.interaction()?;
        self.clear(&made).await?;
        let answer = self.get(made.id.as_str()).await?;
        self.is_error(&answer, &[404])?;
        let path = format!("/interactions/{}", made.id);
        let answer = self.send(Method::DELETE, &path, String::new()).await?;
        self.is_error(&answer, &[404])
    }

    async fn keeps(&self) -> Result<(), String> {
        let made = self.post(json!({})).await?.interaction()?;
        let path = format!("/interactions/{}/cancel", made.id);
        let answer = self.send(Method::POST, &path, String::new()).await?;
        self.is_error(&answer, &[400])?;
        self.clear(&made).await
    }

    async fn misses(&self) -> Result<(), String> {
        for id in ["v1_nobody", "%00", "..%2f..%2fetc"] {
            let answer = self.get(id).await?;
            self.is_error(&answer, &[400, 404])?;
        }
        Ok(())
    }

    async fn refuses(&self, body: String, statuses: &[u16]) -> Result<(), String> {
        let answer = self.send(Method::POST, "/interactions", body).await?;
        self.is_error(&answer, statuses)
    }

    fn is_error(&self, answer: &Answer, statuses: &[u16]) -> Result<(), String> {
        ensure(statuses.contains(&answer.status), || answer.shown())?;
        let error = &answer.json()?["error"];
        let whole = error["code"].is_string() && error["message"].is_string();
        ensure(whole, || format!("the body is no error: {}", answer.shown()))
    }

    /// Deletes what may still be at work, or not be there at all.
    async fn discard(&self, answer: &Answer) -> Result<(), String> {
        let id = match answer.json() {
            Ok(made) => made["id"].as_str().map(str::to_owned),
            Err(_) => answer.events()?.0.iter().find_map(|event| match event {
                StreamEvent::Created(created) => Some(created.interaction.id.to_string()),
                _ => None,
            }),
        };
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.send(Method::DELETE, &format!("/interactions/{id}"), String::new()).await?;
        }
        Ok(())
    }

    /// Deletes with the status that Google's SDKs take for success.
    async fn clear(&self, made: &Interaction) -> Result<(), String> {
        let path = format!("/interactions/{}", made.id);
        let answer = self.send(Method::DELETE, &path, String::new()).await?;
        ensure(answer.status == 200, || format!("a delete answers {}", answer.shown()))
    }
}
