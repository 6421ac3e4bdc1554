//! A whole service that answers from a script, for testing agents without a network.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use interactions_transport::{Body, SharedTransport, Transport, TransportError};
use interactions_types::{
    Content, CreateInteraction, FunctionCall, FunctionResult, Interaction, JsonObject, ModelOutput,
    Status, Step, Thought, Usage, decode,
};
use serde_json::{Value, json};

/// What the scripted model does once it is asked.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ScriptedTurn {
    steps: Vec<Step>,
    usage: Option<Usage>,
    status: Option<Status>,
    refusal: Option<(u16, String, String)>,
    events: Option<usize>,
}

impl ScriptedTurn {
    /// It answers.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().and_text(text)
    }

    /// It calls a function.
    pub fn call(id: &str, name: &str, arguments: Value) -> Self {
        Self::default().and_call(id, name, arguments)
    }

    /// It does not answer but fails with this HTTP status, code and message.
    pub fn refusal(status: u16, code: &str, message: &str) -> Self {
        let refusal = Some((status, code.to_owned(), message.to_owned()));
        Self { refusal, ..Self::default() }
    }

    /// And says this.
    pub fn and_text(self, text: impl Into<String>) -> Self {
        self.and_step(ModelOutput::new().content(vec![Content::text(text)]))
    }

    /// And thinks this.
    pub fn and_thought(self, text: impl Into<String>) -> Self {
        let thought = Thought::new().summary(vec![Content::text(text)]).signature("c2lnbmVk");
        self.and_step(thought)
    }

    /// And calls a function.
    pub fn and_call(self, id: &str, name: &str, arguments: Value) -> Self {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => JsonObject::new(),
        };
        self.and_step(FunctionCall::new(id, name, arguments))
    }

    /// And does this.
    pub fn and_step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// What it costs.
    pub fn usage(mut self, input: i64, output: i64) -> Self {
        let usage = Usage::new().total_input_tokens(input).total_output_tokens(output);
        self.usage = Some(usage.total_tokens(input + output));
        self
    }

    /// How it ends, where that is not `completed`, or `requires_action` after calls.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// The stream breaks after so many events; the rest is there for whoever asks again.
    pub fn cut_after(mut self, events: usize) -> Self {
        self.events = Some(events);
        self
    }

    fn interaction(&self, id: &str, request: &CreateInteraction) -> Interaction {
        let calls = self.steps.iter().any(|step| matches!(step, Step::FunctionCall(_)));
        let usual = if calls { Status::RequiresAction } else { Status::Completed };
        let status = self.status.clone().unwrap_or(usual);
        let mut interaction = Interaction::new(id, status);
        interaction.steps.clone_from(&self.steps);
        interaction.usage.clone_from(&self.usage);
        interaction.previous_interaction_id.clone_from(&request.previous_interaction_id);
        if let Some(interactions_types::Target::Model(model)) = request.named_target() {
            interaction.model = Some(model);
        }
        interaction
    }
}

/// A model that does what its script says, turn by turn, and keeps what it was asked.
///
/// It is a transport, so a client and all that stands on it run without a network. It stores
/// interactions until they are deleted, streams or answers at once, and works in the background
/// where it is asked to: such work is done when it is first read, and can be cancelled before.
///
/// ```
/// use interactions_testing::{ScriptedModel, ScriptedTurn};
/// use serde_json::json;
///
/// let model = ScriptedModel::new([
///     ScriptedTurn::call("c1", "get_weather", json!({"city": "Oslo"})),
///     ScriptedTurn::text("Snow in Oslo."),
/// ]);
/// // `Client::builder().transport(model.transport())`, an agent on top of it, a run; and then:
/// assert_eq!(model.requests().len(), 0);
/// assert_eq!(model.turns_left(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedModel(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    turns: VecDeque<ScriptedTurn>,
    requests: Vec<CreateInteraction>,
    stored: HashMap<String, Interaction>,
    /// The ids of background work that nobody has read yet.
    running: HashSet<String>,
}

impl ScriptedModel {
    /// A model with this script. Asked more often, it fails.
    pub fn new(turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        let turns = turns.into_iter().collect();
        Self(Arc::new(Mutex::new(Script { turns, ..Script::default() })))
    }

    /// The way to it.
    #[must_use]
    pub fn transport(&self) -> SharedTransport {
        SharedTransport::new(self.clone())
    }

    /// What it was asked, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<CreateInteraction> {
        self.lock().requests.clone()
    }

    /// The results of functions that it was told, in order.
    #[must_use]
    pub fn results(&self) -> Vec<FunctionResult> {
        let script = self.lock();
        let told = script.requests.iter().filter_map(|request| request.input.as_ref());
        // Where everything is told again, what was told before is told again as well.
        let mut results: Vec<FunctionResult> = Vec::new();
        for step in told.flat_map(|input| input.clone().into_steps()) {
            if let Step::FunctionResult(result) = step
                && !results.contains(&result)
            {
                results.push(result);
            }
        }
        results
    }

    /// How much of the script was not needed yet.
    #[must_use]
    pub fn turns_left(&self) -> usize {
        self.lock().turns.len()
    }

    /// Forgets everything that it has stored, as a service does after its retention.
    pub fn forget(&self) {
        let mut script = self.lock();
        script.stored.clear();
        script.running.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, body: &[u8]) -> Response<Body> {
        let Ok(request) = decode::<CreateInteraction>(body) else {
            return refused(400, "invalid_request", "the body is not a request");
        };
        let mut script = self.lock();
        script.requests.push(request.clone());
        let previous = request.previous_interaction_id.as_ref();
        if let Some(previous) = previous.filter(|id| !script.stored.contains_key(id.as_str())) {
            return missing(previous.as_str());
        }
        let Some(turn) = script.turns.pop_front() else {
            return refused(400, "script_over", "the script has no more turns");
        };
        if let Some((status, code, message)) = &turn.refusal {
            return refused(*status, code, message);
        }
        let stored = request.store != Some(false);
        let id = if stored { format!("v1_{}", script.requests.len()) } else { String::new() };
        let interaction = turn.interaction(&id, &request);
        if stored {
            script.stored.insert(id.clone(), interaction.clone());
        }
        if request.stream == Some(true) {
            return streamed(&interaction, turn.events, None);
        }
        if request.background == Some(true) {
            script.running.insert(id);
            let mut begun = interaction;
            begun.status = Status::InProgress;
            begun.steps.clear();
            return answered(&json!(begun));
        }
        answered(&json!(interaction))
    }

    fn get(&self, id: &str, query: &str) -> Response<Body> {
        let mut script = self.lock();
        let Some(interaction) = script.stored.get(id).cloned() else { return missing(id) };
        script.running.remove(id);
        let parameter = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        if parameter("stream") == Some("true") {
            return streamed(&interaction, None, parameter("last_event_id"));
        }
        answered(&json!(interaction))
    }

    fn cancel(&self, id: &str) -> Response<Body> {
        let mut script = self.lock();
        let runs = script.running.remove(id);
        let Some(interaction) = script.stored.get_mut(id) else { return missing(id) };
        if !runs {
            let message = format!("{id} is {}, so it cannot be cancelled", interaction.status);
            return refused(400, "invalid_request", &message);
        }
        interaction.status = Status::Cancelled;
        interaction.steps.clear();
        answered(&json!(interaction))
    }

    fn delete(&self, id: &str) -> Response<Body> {
        let mut script = self.lock();
        script.running.remove(id);
        match script.stored.remove(id) {
            Some(_) => answered(&json!({})),
            None => missing(id),
        }
    }
}

#[async_trait]
impl Transport for ScriptedModel {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (head, mut body) = request.into_parts();
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let path: Vec<&str> = head.uri.path().trim_end_matches('/').rsplit('/').collect();
        Ok(match (head.method, path.as_slice()) {
            (Method::POST, ["interactions", ..]) => self.create(&bytes),
            (Method::POST, ["cancel", id, "interactions", ..]) => self.cancel(id),
            (Method::GET, [id, "interactions", ..]) => {
                self.get(id, head.uri.query().unwrap_or_default())
            }
            (Method::DELETE, [id, "interactions", ..]) => self.delete(id),
            _ => refused(404, "not_found", "the scripted model knows interactions only"),
        })
    }
}

fn answered(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn missing(id: &str) -> Response<Body> {
    refused(404, "not_found", &format!("there is no interaction {id}"))
}

fn refused(status: u16, code: &str, message: &str) -> Response<Body> {
    let mut response = answered(&json!({"error": {"code": code, "message": message}}));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

/// The interaction as events: texts and arguments in two pieces each.
fn streamed(interaction: &Interaction, cut: Option<usize>, after: Option<&str>) -> Response<Body> {
    let mut events = vec![json!({"event_type": "interaction.created", "interaction":
        {"id": interaction.id, "status": "in_progress", "model": interaction.model}})];
    for (index, step) in interaction.steps.iter().enumerate() {
        let (start, deltas) = pieces(step);
        events.push(json!({"event_type": "step.start", "index": index, "step": start}));
        for delta in deltas {
            events.push(json!({"event_type": "step.delta", "index": index, "delta": delta}));
        }
        events.push(json!({"event_type": "step.stop", "index": index}));
    }
    events.push(json!({"event_type": "interaction.completed", "interaction":
        {"id": interaction.id, "status": interaction.status, "usage": interaction.usage, "model": interaction.model}}));
    let id = |number: usize| format!("evt_{number}");
    if let Some(after) = after.filter(|after| !(0..events.len()).any(|n| id(n) == **after)) {
        return refused(400, "invalid_request", &format!("there is no event `{after}`"));
    }
    let mut text = String::new();
    for (number, mut event) in events.into_iter().enumerate() {
        let id = id(number);
        event["event_id"] = json!(id);
        text.push_str(&format!("data: {event}\n\n"));
        if after == Some(id.as_str()) {
            text.clear();
        }
        if cut == Some(number + 1) {
            let stream = futures::stream::iter([
                Ok(bytes::Bytes::from(text)),
                Err(TransportError::new(
                    interactions_transport::TransportErrorKind::Interrupted,
                    "the script cuts the stream here",
                )),
            ]);
            return as_events(Body::stream(stream));
        }
    }
    text.push_str("data: [DONE]\n\n");
    as_events(Body::from(text))
}

fn as_events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let kind = http::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// A step as it begins, and what is added to it.
fn pieces(step: &Step) -> (Value, Vec<Value>) {
    let whole = || (json!(step), Vec::new());
    match step {
        Step::ModelOutput(output) => match output.content.as_slice() {
            [Content::Text(text)] => {
                let deltas = halves(&text.text).map(|text| json!({"type": "text", "text": text}));
                (json!({"type": "model_output"}), deltas.to_vec())
            }
            _ => whole(),
        },
        Step::FunctionCall(call) => {
            let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
            let deltas = halves(&arguments)
                .map(|text| json!({"type": "arguments_delta", "arguments": text}));
            let start = json!({"type": "function_call", "id": call.id, "name": call.name});
            (start, deltas.to_vec())
        }
        _ => whole(),
    }
}

fn halves(text: &str) -> [&str; 2] {
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (first, second) = text.split_at(middle);
    [first, second]
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(model: &ScriptedModel, method: Method, path: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://h/v1/interactions{path}"))
            .body(Body::from(body))
            .unwrap();
        let response = model.send(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect(1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn model() -> ScriptedModel {
        ScriptedModel::new([ScriptedTurn::text("one"), ScriptedTurn::text("two")])
    }

    #[tokio::test]
    async fn background_work_streams_where_it_is_asked_to() {
        let both = json!({"model": "m", "input": "x", "background": true, "stream": true});
        let (status, body) = ask(&model(), Method::POST, "", &both).await;
        assert_eq!(status, 200);
        assert!(body.contains("interaction.completed") && body.ends_with("data: [DONE]\n\n"));
    }

    #[tokio::test]
    async fn background_work_is_done_when_it_is_read_and_cancelled_before() {
        let model = model();
        let request = json!({"model": "m", "input": "x", "background": true});
        let (_, begun) = ask(&model, Method::POST, "", &request).await;
        assert!(begun.contains("in_progress") && !begun.contains("one"), "{begun}");
        let (_, done) = ask(&model, Method::GET, "/v1_1", &Value::Null).await;
        assert!(done.contains("one") && done.contains("completed"), "{done}");
        assert_eq!(ask(&model, Method::POST, "/v1_1/cancel", &json!({})).await.0, 400);

        ask(&model, Method::POST, "", &request).await;
        let (status, body) = ask(&model, Method::POST, "/v1_2/cancel", &json!({})).await;
        assert!(status == 200 && body.contains("cancelled"), "{body}");
        let (_, stays) = ask(&model, Method::GET, "/v1_2", &Value::Null).await;
        assert!(stays.contains("cancelled") && !stays.contains("two"), "{stays}");
        assert_eq!(ask(&model, Method::POST, "/v1_9/cancel", &json!({})).await.0, 404);
    }

    #[tokio::test]
    async fn streams_go_on_after_events_that_there_are() {
        let model = model();
        ask(&model, Method::POST, "", &json!({"model": "m", "input": "x"})).await;
        let stream = async |after: &str| {
            let path = format!("/v1_1?stream=true&last_event_id={after}");
            ask(&model, Method::GET, &path, &Value::Null).await
        };
        let (status, rest) = stream("evt_1").await;
        assert!(status == 200 && !rest.contains("evt_1\"") && rest.contains("evt_2\""), "{rest}");
        assert_eq!(stream("evt_99").await.0, 400);
        assert_eq!(stream("nonsense").await.0, 400);
    }

    #[tokio::test]
    async fn what_is_deleted_is_gone() {
        let model = model();
        ask(&model, Method::POST, "", &json!({"model": "m", "input": "x"})).await;
        assert_eq!(ask(&model, Method::DELETE, "/v1_1", &Value::Null).await.0, 200);
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(ask(&model, method, "/v1_1", &Value::Null).await.0, 404);
        }
        let next = json!({"model": "m", "input": "x", "previous_interaction_id": "v1_1"});
        assert_eq!(ask(&model, Method::POST, "", &next).await.0, 404);
    }
}
