//! Structured output: what does not fit its schema never completes a run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Json;
use axum::routing::post;
use futures::{StreamExt, stream};
use harness::Harness;
use interactions_server::model::{
    Finish, Model, ModelError, ModelEvent, ModelStream, Turn, Upstream,
};
use interactions_server::{Config, Server};
use interactions_types::{
    ArgumentsDelta, Content, CreateInteraction, Function, FunctionCall, GenerationConfig,
    Interaction, JsonObject, McpServer, ModelOutput, ResponseFormat, Status, Step, StreamEvent,
    TextDelta, TextResponseFormat, Thought, Tool, ToolChoiceMode, Usage,
};
use serde_json::{Value, json};

const GOOD: &str = r#"{"city":"Paris","days":3}"#;
const BAD: &str = r#"{"city":"Paris","days":"three"}"#;

/// A model that says what it was given to say, generation by generation.
#[derive(Clone, Debug, Default)]
struct Actor {
    script: Arc<Mutex<VecDeque<Vec<ModelEvent>>>>,
    turns: Arc<Mutex<Vec<Turn>>>,
}

impl Actor {
    fn new(generations: impl IntoIterator<Item = Vec<ModelEvent>>) -> Self {
        Self { script: Arc::new(Mutex::new(generations.into_iter().collect())), ..Self::default() }
    }

    async fn serve(&self, mut config: Config) -> Harness {
        let dir = harness::directory();
        config.data_dir = Some(dir.clone());
        let server = Server::builder(config).model("actor", self.clone()).build().await.unwrap();
        Harness::around(server, dir)
    }

    fn turns(&self) -> Vec<Turn> {
        self.turns.lock().unwrap().clone()
    }
}

#[async_trait]
impl Model for Actor {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        self.turns.lock().unwrap().push(turn);
        let next = self.script.lock().unwrap().pop_front();
        let events = next.ok_or_else(|| ModelError::permanent("api_error", "out of script"))?;
        Ok(stream::iter(events.into_iter().map(Ok)).boxed())
    }

    fn label(&self) -> String {
        "actor".to_owned()
    }
}

fn says(text: &str) -> Vec<ModelEvent> {
    let mut events = vec![ModelEvent::Start(ModelOutput::new().into())];
    for piece in text.as_bytes().chunks(4) {
        let piece = String::from_utf8(piece.to_vec()).unwrap();
        events.push(ModelEvent::Delta(TextDelta::new(piece).into()));
    }
    events.push(ModelEvent::Stop);
    events
}

fn thinks() -> Vec<ModelEvent> {
    vec![ModelEvent::Start(Thought::new().into()), ModelEvent::Stop]
}

fn calls(name: &str) -> Vec<ModelEvent> {
    vec![
        ModelEvent::Start(FunctionCall::new("c", name, JsonObject::new()).into()),
        ModelEvent::Delta(ArgumentsDelta::new().arguments("{}").into()),
        ModelEvent::Stop,
    ]
}

fn then(finish: Finish) -> Vec<ModelEvent> {
    let usage = Usage::new().total_tokens(10);
    vec![ModelEvent::Usage(usage), ModelEvent::Finish(finish)]
}

fn done(parts: impl IntoIterator<Item = Vec<ModelEvent>>) -> Vec<ModelEvent> {
    parts.into_iter().chain([then(Finish::Stop)]).flatten().collect()
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": false,
    })
}

fn request() -> CreateInteraction {
    let format = ResponseFormat::from(TextResponseFormat::json(schema()));
    CreateInteraction::new("actor", "a trip, please").response_format(format)
}

fn texts(interaction: &Interaction) -> Vec<String> {
    let text = |step: &Step| match step {
        Step::ModelOutput(output) => {
            Some(output.content.iter().filter_map(Content::as_text).collect())
        }
        _ => None,
    };
    interaction.steps.iter().filter_map(text).collect()
}

fn asked_last(turn: &Turn) -> String {
    match turn.steps.last() {
        Some(Step::UserInput(input)) => input.content.iter().filter_map(Content::as_text).collect(),
        other => panic!("the user has the last word, not {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_fits_completes_at_once() {
    for answer in [GOOD.to_owned(), format!("\n  {GOOD} \n")] {
        let actor = Actor::new([done([thinks(), says(&answer)])]);
        let server = actor.serve(Config::default()).await;
        let trip = server.client.create(request()).await.unwrap();
        assert_eq!((trip.status.clone(), trip.output_text()), (Status::Completed, answer));
        assert_eq!(trip.errors, None);
        let stored = server.client.get(&trip.id).await.unwrap();
        assert_eq!(stored.output_text(), trip.output_text());
        assert_eq!(actor.turns().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_corrected_by_the_model_once() {
    for (bad, complaint) in [
        (BAD.to_owned(), "`/days`"),
        (format!("```json\n{GOOD}\n```"), "not JSON"),
        (r#"{"city":"Paris"}"#.to_owned(), "days"),
        (String::new(), "no text"),
    ] {
        let actor = Actor::new([done([thinks(), says(&bad)]), done([thinks(), says(GOOD)])]);
        let server = actor.serve(Config::default()).await;
        let trip = server.client.create(request()).await.unwrap();
        assert_eq!((&trip.status, trip.output_text().as_str()), (&Status::Completed, GOOD));
        assert_eq!(texts(&trip), [GOOD], "the first answer is no part of the interaction");
        assert_eq!(trip.usage.as_ref().unwrap().total_tokens, Some(20), "both are paid for");

        let turns = actor.turns();
        let told = asked_last(&turns[1]);
        assert!(told.contains(complaint), "{bad}: {told}");
        let said = turns[1].steps.iter().any(|step| *step == Step::model_text(bad.as_str()));
        assert_eq!(said, !bad.is_empty(), "the model sees what it said");
        let stored = server.client.get(&trip.id).await.unwrap();
        let inputs = |step: &&Step| matches!(step, Step::UserInput(_));
        assert_eq!(stored.steps.iter().filter(inputs).count(), 1, "the caller said one thing");
    }
}

#[tokio::test]
async fn an_answer_that_fails_twice_fails_the_run_and_says_where() {
    let actor = Actor::new([done([says("no")]), done([says(BAD)]), done([says(GOOD)])]);
    let server = actor.serve(Config::default()).await;
    let trip = server.client.create(request()).await.unwrap();
    assert_eq!(trip.status, Status::Failed);
    let error = &trip.errors.as_ref().unwrap()[0];
    assert_eq!(error.code.as_deref(), Some("invalid_output"));
    let message = error.message.as_deref().unwrap();
    assert!(message.contains("`response_format.schema`"), "{message}");
    assert!(message.contains("`/days`") && message.contains("integer"), "{message}");
    assert_eq!(trip.output_text(), BAD, "what the model said last can be looked at");
    assert_eq!(actor.turns().len(), 2, "there is no third try");
    assert_eq!(server.client.get(&trip.id).await.unwrap().errors, trip.errors);
}

#[tokio::test]
async fn complaints_about_an_answer_are_of_bounded_length() {
    let huge = json!({"city": "x".repeat(100_000), "days": "y".repeat(100_000)});
    let mut huge = huge.as_object().unwrap().clone();
    huge.extend((0..5000).map(|number| (format!("more{number}"), json!(1))));
    let huge = Value::Object(huge).to_string();
    let actor = Actor::new([done([says(&huge)]), done([says(&huge)])]);
    let server = actor.serve(Config::default()).await;
    let trip = server.client.create(request()).await.unwrap();
    let message = trip.errors.unwrap()[0].message.clone().unwrap();
    let told = asked_last(&actor.turns()[1]);
    assert!(message.len() < 4000 && told.len() < 4000, "{} {}", message.len(), told.len());
}

#[tokio::test]
async fn streams_show_no_text_that_was_taken_back() {
    for store in [true, false] {
        let actor = Actor::new([done([thinks(), says(BAD)]), done([thinks(), says(GOOD)])]);
        let server = actor.serve(Config::default()).await;
        let create = server.client.create(request().store(store));
        let events: Vec<StreamEvent> =
            create.stream().await.unwrap().map(Result::unwrap).collect().await;
        let mut shown = String::new();
        let mut thoughts = 0;
        for event in &events {
            match event {
                StreamEvent::StepDelta(delta) => {
                    let delta = serde_json::to_value(&delta.delta).unwrap();
                    shown.push_str(delta["text"].as_str().unwrap_or_default());
                }
                StreamEvent::StepStart(start) => {
                    thoughts += usize::from(matches!(start.step, Step::Thought(_)));
                }
                _ => {}
            }
        }
        assert_eq!((shown.as_str(), thoughts), (GOOD, 2));
        let Some(StreamEvent::Completed(last)) = events.last() else {
            panic!("completed comes last: {:?}", events.last())
        };
        assert_eq!(last.interaction.status, Status::Completed);
        if store {
            let id = &last.interaction.id;
            let again = server.client.get(id).stream().await.unwrap();
            let again: Vec<StreamEvent> = again.map(Result::unwrap).collect().await;
            assert_eq!(again, events, "the log says the same");
        }
    }
}

#[tokio::test]
async fn thoughts_are_seen_while_the_answer_is_held_back() {
    let bad = done([thinks(), says("no")]);
    let actor = Actor::new([bad.clone(), bad]);
    let server = actor.serve(Config::default()).await;
    let body = json!({"model": "actor", "input": "go", "stream": true,
        "response_format": {"type": "text", "mime_type": "application/json", "schema": schema()}});
    let (_, transcript) = server.raw("POST", "/v1/interactions", body.to_string()).await;
    let transcript = transcript.as_str().unwrap();
    let names: Vec<_> =
        transcript.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let step = ["step.start", "step.stop"];
    let expected = ["interaction.created", "interaction.status_update"]
        .into_iter()
        .chain(step)
        .chain(step)
        .chain(["step.start", "step.delta", "step.stop"])
        .chain(["error", "interaction.completed", "done"]);
    assert_eq!(names, expected.collect::<Vec<_>>(), "{transcript}");
    assert!(transcript.contains("invalid_output"), "{transcript}");
}

#[tokio::test]
async fn what_does_not_complete_is_not_checked() {
    let cut: Vec<_> = [says("{\"city\":"), then(Finish::MaxTokens)].concat();
    let call = done([says("Let me see."), calls("lookup")]);
    let actor = Actor::new([cut, call]);
    let server = actor.serve(Config::default()).await;
    let cut = server.client.create(request()).await.unwrap();
    assert_eq!((&cut.status, cut.output_text().as_str()), (&Status::Incomplete, "{\"city\":"));
    assert_eq!(cut.errors, None);

    let tools: Vec<Tool> = vec![Function::new("lookup").into()];
    let asks = server.client.create(request().tools(tools)).await.unwrap();
    assert_eq!(asks.status, Status::RequiresAction);
    assert_eq!((texts(&asks), asks.pending_calls().len()), (vec!["Let me see.".to_owned()], 1));
    assert_eq!(actor.turns().len(), 2);
}

#[tokio::test]
async fn the_answer_to_the_results_of_the_caller_is_checked() {
    let actor = Actor::new([done([calls("lookup")]), done([says("no")]), done([says(GOOD)])]);
    let server = actor.serve(Config::default()).await;
    let tools: Vec<Tool> = vec![Function::new("lookup").into()];
    let asks = server.client.create(request().tools(tools)).await.unwrap();
    let results = asks.pending_calls()[0].result("sunny");
    let format = ResponseFormat::from(TextResponseFormat::json(schema()));
    let answer = CreateInteraction::new("actor", results)
        .previous_interaction_id(&asks.id)
        .response_format(format);
    let answer = server.client.create(answer).await.unwrap();
    assert_eq!((&answer.status, texts(&answer)), (&Status::Completed, vec![GOOD.to_owned()]));
}

#[tokio::test]
async fn a_choice_of_tools_that_was_forced_is_free_for_the_correction() {
    let actor = Actor::new([done([says("no")]), done([says(GOOD)])]);
    let server = actor.serve(Config::default()).await;
    let tools: Vec<Tool> = vec![Function::new("lookup").into()];
    let forced = GenerationConfig::new().tool_choice(ToolChoiceMode::Any);
    let request = request().tools(tools).generation_config(forced);
    assert_eq!(server.client.create(request).await.unwrap().status, Status::Completed);
    let choices: Vec<_> = actor.turns().iter().map(|turn| turn.tool_choice.clone()).collect();
    assert_eq!(choices, [Some(ToolChoiceMode::Any), None]);
}

/// An MCP server with one tool, `lookup`.
async fn mcp_server() -> (String, tokio::task::JoinHandle<()>) {
    let answer = |Json(message): Json<Value>| async move {
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "fake", "version": "1"},
            }),
            "tools/list" => {
                json!({"tools": [{"name": "lookup", "inputSchema": {"type": "object"}}]})
            }
            "tools/call" => json!({"content": [{"type": "text", "text": "three days"}]}),
            _ => return (http::StatusCode::ACCEPTED, Json(Value::Null)),
        };
        let id = &message["id"];
        (http::StatusCode::OK, Json(json!({"jsonrpc": "2.0", "id": id, "result": result})))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/mcp", post(answer));
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address.to_string(), task)
}

#[tokio::test]
async fn an_answer_after_tools_of_an_mcp_server_is_checked_and_corrected() {
    let (address, task) = mcp_server().await;
    // The name by which the model knows the tool is the engine's choice.
    for rounds in [1, 32] {
        let actor = Actor::new([
            done([says("Let me look."), calls("lookup"), says("Wait.")]),
            done([says(BAD)]),
            done([thinks(), says(GOOD)]),
        ]);
        let mut config = Config::default();
        config.egress.allow = vec![address.clone()];
        config.limits.tool_rounds = rounds;
        let server = actor.serve(config).await;
        let mcp = McpServer::new().name("docs").url(format!("http://{address}/mcp"));
        let request = request().tools(vec![mcp.into()]);
        let trip = server.client.create(request).await.unwrap();
        assert_eq!(trip.status, Status::Completed, "{:?}", trip.errors);
        assert_eq!(trip.output_text(), GOOD);
        assert_eq!(texts(&trip), ["Let me look.", "Wait.", GOOD]);

        let turns = actor.turns();
        assert_eq!(turns.len(), 3);
        let kinds: Vec<_> = turns[2].steps.iter().map(Step::kind).collect();
        let tail = ["function_result", "model_output", "user_input"];
        assert_eq!(kinds[kinds.len() - 3..], tail, "the correction comes after what was so");
    }
    task.abort();
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_with_its_path() {
    let server = Actor::default().serve(Config::default()).await;
    let text =
        |schema: Value| json!({"type": "text", "mime_type": "application/json", "schema": schema});
    for (format, place) in [
        (text(json!({"type": "strnig"})), "`response_format.schema.type`"),
        (
            text(json!({"type": "object", "properties": {"a": {"type": 5}}})),
            "`response_format.schema.properties.a.type`",
        ),
        (
            json!([{"type": "text", "schema": {"required": "a"}}]),
            "`response_format[0].schema.required`",
        ),
        (text(json!("object")), "`response_format.schema`"),
        (text(json!({"pattern": "(?=".repeat(20_000)})), "`response_format.schema.pattern`"),
        (text(json!({"pattern": "(".repeat(20_000) + &")".repeat(20_000)})), "pattern`"),
        (text(json!({"pattern": "("})), "`response_format.schema.pattern`"),
        (text(json!({"$ref": "#/$defs/none"})), "`response_format.schema"),
        (text(json!({"$ref": "http://127.0.0.1:9/schema.json"})), "`response_format.schema"),
        (text(json!({"$ref": "file:///etc/hostname"})), "`response_format.schema"),
        (
            text(json!({"properties": {"a": {"$ref": "file:///etc/hostname"}}})),
            "`response_format.schema",
        ),
        (
            text(json!({"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}]}}})),
            "`response_format.schema.properties.a`",
        ),
        (json!({"type": "object", "minimum": "1"}), "`response_format.minimum`"),
        (
            json!({"type": "text", "mime_type": "text/plain", "schema": {"type": "object"}}),
            "`response_format.schema`",
        ),
    ] {
        let body = json!({"model": "actor", "input": "x", "response_format": format});
        let (status, answer) = server.post(body).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((status, message.contains(place)), (400, true), "{format}: {answer}");
        assert!(message.len() < 600, "{message}");
    }
}

#[tokio::test]
async fn a_bare_schema_and_one_among_other_formats_count_too() {
    for format in [
        schema(),
        json!([{"type": "text", "mime_type": "application/json", "schema": schema()}]),
        json!({"type": "text", "schema": schema()}),
    ] {
        let actor = Actor::new([done([says(BAD)]), done([says(GOOD)])]);
        let server = actor.serve(Config::default()).await;
        let (status, trip) =
            server.post(json!({"model": "actor", "input": "x", "response_format": format})).await;
        assert_eq!((status, &trip["status"]), (200, &json!("completed")), "{trip}");
        assert_eq!(actor.turns().len(), 2, "{format}");
    }
}

#[tokio::test]
async fn schemas_that_would_take_for_ever_do_not() {
    // Each definition asks for the next one twice: 2^40 ways through.
    let twice = |next: usize| json!({"allOf": [{"$ref": format!("#/$defs/d{next}")}, {"$ref": format!("#/$defs/d{next}")}]});
    let mut definitions: JsonObject = (0..40).map(|at| (format!("d{at}"), twice(at + 1))).collect();
    definitions.insert("d40".to_owned(), json!({"type": "integer"}));
    let doubling = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let itself = json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}], "type": "integer"});
    let branch = json!({"properties": {"a": {"$ref": "#"}}});
    let tree = json!({"allOf": [branch, branch, {"type": ["object", "integer"]}]});
    let deep = (0..60).fold(json!("leaf"), |inner, _| json!({"a": inner}));
    let pattern = json!({"type": "string", "pattern": "^(?=a)(a|a|aa)*$"});
    for (schema, answer) in [
        (doubling, json!("x")),
        (itself, json!("x")),
        (tree, deep),
        (pattern, json!(format!("{}b", "a".repeat(60)))),
    ] {
        let began = std::time::Instant::now();
        let answer = answer.to_string();
        let actor = Actor::new([done([says(&answer)]), done([says(&answer)])]);
        let server = actor.serve(Config::default()).await;
        let format = ResponseFormat::from(TextResponseFormat::json(schema.clone()));
        let request = CreateInteraction::new("actor", "x").response_format(format);
        let result = server.client.create(request).await;
        if let Ok(interaction) = result {
            assert_eq!(interaction.status, Status::Failed, "{schema}");
        }
        assert!(began.elapsed().as_secs() < 3, "{schema} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn another_server_of_the_api_judges_for_itself() {
    let actor = Actor::new([done([says("no")]), done([says("no")])]);
    let upstream = actor.serve(Config::default()).await;
    let mut config = Config::default();
    let dir = harness::directory();
    config.data_dir = Some(dir.clone());
    let front = Server::builder(config)
        .model("actor", Upstream::new(upstream.client.clone()))
        .build()
        .await
        .unwrap();
    let front = Harness::around(front, dir);
    let trip = front.client.create(request()).await.unwrap();
    assert_eq!(trip.status, Status::Failed);
    assert_eq!(trip.errors.unwrap()[0].code.as_deref(), Some("invalid_output"));
    assert_eq!(actor.turns().len(), 2, "the front does not ask again");
}

#[tokio::test]
async fn the_scripted_model_answers_with_an_example_of_the_schema() {
    let server = Harness::new().await;
    let format = ResponseFormat::from(TextResponseFormat::json(schema()));
    let request = CreateInteraction::new("scripted", "3 days in Paris").response_format(format);
    let trip = server.client.create(request).await.unwrap();
    assert_eq!((&trip.status, trip.output_text().as_str()), (&Status::Completed, GOOD));
}

#[tokio::test]
async fn a_run_that_is_cancelled_keeps_what_was_held_back() {
    let server = Harness::new().await;
    let format = ResponseFormat::from(TextResponseFormat::json(schema()));
    let request = CreateInteraction::new("scripted", "count to 400").response_format(format);
    let mut events = server.client.create(request).stream().await.unwrap();
    let Some(Ok(StreamEvent::Created(created))) = events.next().await else {
        panic!("created comes first")
    };
    let id = &created.interaction.id;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let running = server.client.get(id).await.unwrap();
    assert_eq!(
        (running.status.clone(), running.output_text()),
        (Status::InProgress, String::new())
    );
    let cancelled = server.client.cancel(id).await.unwrap();
    assert_eq!((cancelled.status.clone(), cancelled.errors.clone()), (Status::Cancelled, None));
    assert!(cancelled.output_text().starts_with("1 2 "), "{cancelled:?}");
}
