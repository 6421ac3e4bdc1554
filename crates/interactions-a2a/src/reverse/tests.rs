//! The transport under the official client, against our own server and against scripts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use a2a_client::{A2AClient, A2AClientFactory};
use futures::TryStreamExt;
use interactions_client::Backoff;
use interactions_server::{Config, Server};
use interactions_testing::{Capture, Reply, ScriptedModel, ScriptedTurn, capture, transcript};
use interactions_transport::{SharedTransport, TowerTransport};
use interactions_types::{Function, Target};
use serde_json::{Value, json};

use super::*;
use crate::wire::{
    Part, PartContent, Role, SendMessageConfiguration, TaskState, TaskStatusUpdateEvent,
};

type Agent = A2AClient<Box<dyn Transport>>;

static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Endpoint {
    server: Server,
    client: Client,
    dir: PathBuf,
}

impl Endpoint {
    async fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("interactions-a2a-reverse-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let mut config = Config::default();
        config.data_dir = Some(dir.clone());
        let server = Server::builder(config).build().await.expect("a server");
        let client = client(SharedTransport::new(TowerTransport::new(server.router())));
        Self { server, client, dir }
    }

    /// A new client each time, which remembers nothing.
    async fn agent(&self) -> Agent {
        let question = Function::new("ask_human").parameters(json!({
            "type": "object",
            "properties": {"question": {"type": "string"}},
            "required": ["question"],
        }));
        let request = CreateInteraction::new("scripted", "").tools(vec![question.into()]);
        agent(&self.client, &request, |factory| factory).await
    }

    async fn previous(&self, id: &str) -> Option<String> {
        let stored = self.client.get(id).await.expect("it is stored");
        stored.previous_interaction_id.map(|id| id.to_string())
    }

    async fn close(self) {
        self.server.close().await;
        std::fs::remove_dir_all(self.dir).expect("the folder goes");
    }
}

fn client(transport: SharedTransport) -> Client {
    let builder = Client::builder().base_url("http://in-process").transport(transport);
    builder.retry(Backoff::never()).build().expect("a client")
}

/// From card to client, as programs do it.
async fn agent(
    client: &Client,
    request: &CreateInteraction,
    options: impl FnOnce(InteractionsTransportFactory) -> InteractionsTransportFactory,
) -> Agent {
    let card = interactions_card("http://in-process", request);
    let factory = options(InteractionsTransportFactory::new(client.clone()));
    let factory = factory.register(A2AClientFactory::builder().no_defaults()).build();
    factory.create_from_card(&card).await.expect("a client of the card")
}

async fn agent_of(model: &ScriptedModel) -> Agent {
    agent(&client(model.transport()), &CreateInteraction::new("m", ""), |factory| factory).await
}

/// A model behind replies, and what was sent to it.
async fn replies(replies: Vec<Reply>) -> (Agent, Capture) {
    let capture = capture(replies);
    let request = CreateInteraction::new("m", "");
    (agent(&client(capture.transport()), &request, |factory| factory).await, capture)
}

fn message(parts: Vec<Part>) -> SendMessageRequest {
    let message = Message::new(Role::User, parts);
    SendMessageRequest { message, configuration: None, metadata: None, tenant: None }
}

fn text(text: &str) -> SendMessageRequest {
    message(vec![Part::text(text)])
}

fn in_context(mut request: SendMessageRequest, context: &str) -> SendMessageRequest {
    request.message.context_id = Some(context.to_owned());
    request
}

fn in_task(mut request: SendMessageRequest, task: &str) -> SendMessageRequest {
    request.message.task_id = Some(task.to_owned());
    request
}

fn configured(mut request: SendMessageRequest, configuration: Value) -> SendMessageRequest {
    let configuration: SendMessageConfiguration =
        serde_json::from_value(configuration).expect("a configuration");
    request.configuration = Some(configuration);
    request
}

fn immediately(request: SendMessageRequest) -> SendMessageRequest {
    configured(request, json!({"returnImmediately": true}))
}

async fn send(agent: &Agent, request: &SendMessageRequest) -> Task {
    match agent.send_message(request).await.expect("an answer") {
        SendMessageResponse::Task(task) => task,
        SendMessageResponse::Message(message) => panic!("{message:?}"),
    }
}

async fn refused(agent: &Agent, request: &SendMessageRequest) -> (FaultKind, String) {
    let error = agent.send_message(request).await.expect_err("a refusal");
    (FaultKind::from_code(error.code), error.message)
}

async fn stream(agent: &Agent, request: &SendMessageRequest) -> Vec<StreamResponse> {
    let events = agent.send_streaming_message(request).await.expect("a stream");
    events.try_collect().await.expect("it is told to the end")
}

async fn subscribe(agent: &Agent, id: &str) -> Vec<StreamResponse> {
    let request = SubscribeToTaskRequest { id: id.to_owned(), tenant: None };
    let events = agent.subscribe_to_task(&request).await.expect("a stream");
    events.try_collect().await.expect("it is told to the end")
}

fn get(id: &str) -> GetTaskRequest {
    GetTaskRequest { id: id.to_owned(), history_length: None, tenant: None }
}

fn cancel(id: &str) -> CancelTaskRequest {
    CancelTaskRequest { id: id.to_owned(), metadata: None, tenant: None }
}

fn said(task: &Task) -> String {
    let artifacts = task.artifacts.iter().flatten();
    artifacts.flat_map(|artifact| &artifact.parts).filter_map(Part::as_text).collect()
}

fn first(events: &[StreamResponse]) -> &Task {
    match &events[0] {
        StreamResponse::Task(task) => task,
        other => panic!("{other:?}"),
    }
}

fn last(events: &[StreamResponse]) -> &TaskStatusUpdateEvent {
    match events.last() {
        Some(StreamResponse::StatusUpdate(update)) => update,
        other => panic!("{other:?}"),
    }
}

/// What a reader sees who follows the rules of `append`.
fn read(events: &[StreamResponse]) -> String {
    let mut artifacts: Vec<(String, String)> = Vec::new();
    for event in events {
        let StreamResponse::ArtifactUpdate(update) = event else { continue };
        let parts = &update.artifact.parts;
        assert!(!parts.is_empty(), "an artifact without parts");
        let more: String = parts.iter().filter_map(Part::as_text).collect();
        let id = &update.artifact.artifact_id;
        match artifacts.iter_mut().find(|(known, _)| known == id) {
            Some((_, text)) if update.append == Some(true) => text.push_str(&more),
            Some((_, text)) => *text = more,
            None => artifacts.push((id.clone(), more)),
        }
    }
    artifacts.into_iter().map(|(_, text)| text).collect()
}

/// The data of the call that a task waits for an answer to.
fn call(message: Option<&Message>) -> Value {
    let parts = &message.expect("a question").parts;
    let call = parts.iter().find_map(|part| match &part.content {
        PartContent::Data(data) => Some((data, part.metadata.as_ref())),
        _ => None,
    });
    let (data, metadata) = call.expect("a call");
    assert_eq!(metadata.expect("metadata")["adk_type"], "function_call");
    data.clone()
}

fn completed(id: &str, text: &str) -> String {
    let steps = json!([
        {"type": "user_input", "content": [{"type": "text", "text": "hi"}]},
        {"type": "model_output", "content": [{"type": "text", "text": text}]},
    ]);
    json!({"id": id, "status": "completed", "steps": steps}).to_string()
}

#[tokio::test]
async fn a_message_is_answered_and_contexts_go_on_in_any_client() {
    let endpoint = Endpoint::new().await;
    let agent = endpoint.agent().await;
    let one = send(&agent, &text("count to 3")).await;
    assert_eq!((one.status.state.clone(), said(&one).as_str()), (TaskState::Completed, "1 2 3"));
    assert_eq!(one.context_id, one.id);
    let history = one.history.as_ref().unwrap();
    assert_eq!((history.len(), history[0].task_id.as_ref()), (1, Some(&one.id)));
    assert!(one.metadata.as_ref().unwrap().contains_key("interactions/usage"), "{one:?}");

    let two = send(&agent, &in_context(text("count to 2"), &one.id)).await;
    assert_eq!(two.context_id, one.id);
    assert_eq!(endpoint.previous(&two.id).await, Some(one.id.clone()));

    // Another client finds the end of the conversation by its label.
    let three = send(&endpoint.agent().await, &in_context(text("count to 4"), &one.id)).await;
    assert_eq!(three.context_id, one.id);
    assert_eq!(endpoint.previous(&three.id).await, Some(two.id.clone()));
    // Another one, the context of a task, and its history.
    let fresh = endpoint.agent().await;
    let again = fresh.get_task(&get(&three.id)).await.unwrap();
    assert_eq!((again.context_id.as_str(), said(&again).as_str()), (&*one.id, "1 2 3 4"));
    assert_eq!(again.artifacts, three.artifacts);
    assert_eq!(again.history.as_ref().unwrap()[0].text(), Some("count to 4"));
    let none = GetTaskRequest { history_length: Some(0), ..get(&three.id) };
    assert_eq!(fresh.get_task(&none).await.unwrap().history, None);

    // A context of a single task has no label anywhere.
    let single = send(&agent, &text("count to 1")).await;
    let next = send(&endpoint.agent().await, &in_context(text("hi"), &single.id)).await;
    assert_eq!(endpoint.previous(&next.id).await, Some(single.id));

    let (kind, why) = refused(&fresh, &in_context(text("x"), "v1_nowhere")).await;
    assert!(kind == FaultKind::InvalidParams && why.contains("contextId"), "{why}");
    let (kind, _) = refused(&fresh, &in_task(text("x"), "v1_nowhere")).await;
    assert_eq!(kind, FaultKind::TaskNotFound);
    let error = fresh.get_task(&get("v1_nowhere")).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::TaskNotFound);
    endpoint.close().await;
}

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_its_end() {
    let endpoint = Endpoint::new().await;
    let agent = endpoint.agent().await;
    let events = stream(&agent, &text("count to 12")).await;
    let task = first(&events);
    assert_eq!((task.status.state.clone(), task.artifacts.as_ref()), (TaskState::Submitted, None));
    assert_eq!(last(&events).status.state, TaskState::Completed);
    assert!(events.len() > 4, "{events:?}");
    assert_eq!(read(&events), "1 2 3 4 5 6 7 8 9 10 11 12");
    let ended = agent.get_task(&get(&task.id)).await.unwrap();
    assert_eq!(said(&ended), read(&events));
    let events = stream(&agent, &in_context(text("count to 2"), &task.id)).await;
    assert_eq!(first(&events).context_id, task.id);
    assert_eq!(endpoint.previous(&first(&events).id).await, Some(task.id.clone()));
    let failed = stream(&agent, &text("fail please")).await;
    assert_eq!(last(&failed).status.state, TaskState::Failed);
    endpoint.close().await;
}

#[tokio::test]
async fn questions_are_asked_and_answered() {
    let endpoint = Endpoint::new().await;
    let agent = endpoint.agent().await;
    let asked = send(&agent, &text("ask a human")).await;
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let data = call(asked.status.message.as_ref());
    assert_eq!(data["name"], "ask_human");

    // ADK's form, sent by a client that knows nothing of what was before.
    let mut answer = Part::data(json!({"id": data["id"], "response": {"result": "yes"}}));
    answer.metadata = Some([("adk_type".to_owned(), json!("function_response"))].into());
    let reply = in_task(message(vec![answer]), &asked.id);
    let done = send(&endpoint.agent().await, &reply).await;
    assert_eq!((done.status.state.clone(), &done.context_id), (TaskState::Completed, &asked.id));
    assert!(said(&done).contains("yes"), "{done:?}");
    assert_eq!(endpoint.previous(&done.id).await, Some(asked.id.clone()));
    let stored = agent.get_task(&get(&done.id)).await.unwrap();
    let PartContent::Data(shown) = &stored.history.unwrap()[0].parts[0].content else { panic!() };
    assert_eq!((&shown["id"], &shown["response"]), (&data["id"], &json!({"result": "yes"})));

    // The neutral form, streamed; the context is enough to find the question.
    let events = stream(&agent, &text("ask a human")).await;
    let asked = first(&events).id.clone();
    assert_eq!(last(&events).status.state, TaskState::InputRequired);
    let data = call(last(&events).status.message.as_ref());
    let answer = Part::data(json!({"id": data["id"], "result": "no"}));
    let events = stream(&agent, &in_context(message(vec![answer]), &asked)).await;
    assert_eq!(last(&events).status.state, TaskState::Completed);
    assert!(read(&events).contains("no"), "{events:?}");

    // An answer to something else, or in another context, is refused.
    let asked = send(&agent, &text("ask a human")).await;
    let stray = Part::data(json!({"id": "nonsense", "result": 1}));
    let (kind, _) = refused(&agent, &in_task(message(vec![stray]), &asked.id)).await;
    assert_eq!(kind, FaultKind::InvalidParams);
    let (kind, _) = refused(&agent, &in_task(in_context(text("x"), "other"), &asked.id)).await;
    assert_eq!(kind, FaultKind::InvalidParams);
    // A text answers the only question.
    let done = send(&agent, &in_task(text("maybe"), &asked.id)).await;
    assert!(said(&done).contains("maybe"), "{done:?}");
    endpoint.close().await;
}

#[tokio::test]
async fn several_questions_want_all_their_answers() {
    let model = ScriptedModel::new([
        ScriptedTurn::call("a", "f", json!({})).and_call("b", "f", json!({})),
        ScriptedTurn::text("done"),
    ]);
    let agent = agent_of(&model).await;
    let asked = send(&agent, &text("hi")).await;
    let still = send(&agent, &in_task(text("yes"), &asked.id)).await;
    assert_eq!((&still.id, still.status.state), (&asked.id, TaskState::InputRequired));
    let answer = |id: &str| Part::data(json!({"id": id, "result": id}));
    let (kind, why) = refused(&agent, &in_task(message(vec![answer("a")]), &asked.id)).await;
    assert!(kind == FaultKind::InvalidParams && why.contains("`b`"), "{why}");
    assert_eq!(model.requests().len(), 1);
    let both = message(vec![answer("b"), answer("a")]);
    assert_eq!(said(&send(&agent, &in_task(both, &asked.id)).await), "done");
    let results: Vec<String> =
        model.results().iter().map(|result| result.call_id.to_string()).collect();
    assert_eq!(results, ["a", "b"]);
}

#[tokio::test]
async fn work_is_begun_followed_and_cancelled() {
    let endpoint = Endpoint::new().await;
    let agent = endpoint.agent().await;
    let begun = send(&agent, &immediately(text("wait 60"))).await;
    assert!(matches!(begun.status.state, TaskState::Submitted | TaskState::Working), "{begun:?}");
    let (kind, _) = refused(&agent, &in_task(text("and?"), &begun.id)).await;
    assert_eq!(kind, FaultKind::UnsupportedOperation);
    let following = subscribe(&agent, &begun.id);
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        endpoint.agent().await.cancel_task(&cancel(&begun.id)).await
    };
    let (events, cancelled) = futures::join!(following, cancelling);
    assert_eq!(cancelled.unwrap().status.state, TaskState::Canceled);
    assert_eq!(last(&events).status.state, TaskState::Canceled);
    // Twice is once.
    let again = agent.cancel_task(&cancel(&begun.id)).await.unwrap();
    assert_eq!(again.status.state, TaskState::Canceled);

    let begun = send(&agent, &immediately(text("count to 20"))).await;
    let events = subscribe(&endpoint.agent().await, &begun.id).await;
    assert_eq!((&first(&events).id, first(&events).artifacts.as_ref()), (&begun.id, None));
    assert_eq!(last(&events).status.state, TaskState::Completed);
    assert!(read(&events).ends_with("18 19 20"), "{events:?}");
    let told = read(&events);
    // Afterwards there is only the task.
    let events = subscribe(&agent, &begun.id).await;
    assert_eq!((events.len(), said(first(&events))), (1, told));
    let error = agent.cancel_task(&cancel(&begun.id)).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::TaskNotCancelable);
    let error = agent.cancel_task(&cancel("v1_nowhere")).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::TaskNotFound);
    endpoint.close().await;
}

#[tokio::test]
async fn tasks_that_have_ended_take_messages_only_where_that_is_wanted() {
    let turns = ["one", "two", "three"].map(ScriptedTurn::text);
    let model = ScriptedModel::new(turns);
    let strict = agent_of(&model).await;
    let one = send(&strict, &text("hi")).await;
    let (kind, why) = refused(&strict, &in_task(text("more"), &one.id)).await;
    assert!(kind == FaultKind::UnsupportedOperation && why.contains("contextId"), "{why}");
    let request = CreateInteraction::new("m", "");
    let chains = |factory: InteractionsTransportFactory| factory.chain_terminal_tasks(true);
    let lenient = agent(&client(model.transport()), &request, chains).await;
    let two = send(&lenient, &in_task(text("more"), &one.id)).await;
    assert_eq!((said(&two).as_str(), &two.context_id), ("two", &one.id));
    assert_eq!(model.requests()[1].previous_interaction_id, Some(one.id.as_str().into()));

    // This service lists nothing, so a client that does not know the end must be told.
    let forgetful = |factory: InteractionsTransportFactory| factory.remembered_contexts(0);
    let forgetful = agent(&client(model.transport()), &request, forgetful).await;
    let mut next = in_context(text("on"), &one.id);
    let (kind, why) = refused(&forgetful, &next).await;
    assert!(kind == FaultKind::UnsupportedOperation && why.contains("referenceTaskIds"), "{why}");
    next.message.reference_task_ids = Some(vec![two.id.clone()]);
    let three = send(&forgetful, &next).await;
    assert_eq!((said(&three).as_str(), &three.context_id), ("three", &one.id));
    assert_eq!(model.requests()[2].previous_interaction_id, Some(two.id.as_str().into()));
}

#[tokio::test]
async fn a_context_goes_on_from_what_ended_well() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("one"),
        ScriptedTurn::text("").status(Status::Failed),
        ScriptedTurn::text("three"),
        ScriptedTurn::text("four"),
    ]);
    let agent = agent_of(&model).await;
    let one = send(&agent, &text("hi")).await;
    let two = send(&agent, &in_context(text("fail"), &one.id)).await;
    assert_eq!(two.status.state, TaskState::Failed);
    let three = send(&agent, &in_context(text("again"), &one.id)).await;
    assert_eq!(model.requests()[2].previous_interaction_id, Some(one.id.as_str().into()));
    // A reference alone is gone on from, as Google's sample does it.
    let mut referring = text("and");
    referring.message.reference_task_ids = Some(vec![three.id.clone()]);
    assert_eq!(send(&agent, &referring).await.context_id, one.id);
    assert_eq!(model.requests()[3].previous_interaction_id, Some(three.id.as_str().into()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_taken_up_again() {
    for cut in 1..6 {
        let model = ScriptedModel::new([ScriptedTurn::text("a long answer").cut_after(cut)]);
        let events = stream(&agent_of(&model).await, &text("hi")).await;
        assert_eq!(read(&events), "a long answer", "{cut}");
        assert_eq!(last(&events).status.state, TaskState::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_streamed_any_more_is_read() {
    let gone = || Reply::error(404, "not_found", "it is over");
    // A stream that breaks, and cannot be taken up.
    let begin = transcript(&[
        json!({"event_type": "interaction.created", "event_id": "e1",
            "interaction": {"id": "v1_a", "status": "in_progress"}}),
        json!({"event_type": "step.start", "event_id": "e2", "index": 0,
            "step": {"type": "model_output"}}),
        json!({"event_type": "step.delta", "event_id": "e3", "index": 0,
            "delta": {"type": "text", "text": "half"}}),
    ]);
    let (agent, _) =
        replies(vec![Reply::sse(begin), gone(), Reply::json(completed("v1_a", "half of it"))])
            .await;
    let events = stream(&agent, &text("hi")).await;
    assert_eq!(read(&events), "half of it");
    assert_eq!(last(&events).status.state, TaskState::Completed);

    // A subscription to a task that ends at the same moment.
    let steps = json!([{"type": "model_output", "content": [{"type": "text", "text": "al"}]}]);
    let running = json!({"id": "v1_a", "status": "in_progress", "steps": steps}).to_string();
    let (agent, _) =
        replies(vec![Reply::json(running), gone(), Reply::json(completed("v1_a", "all of it"))])
            .await;
    let events = subscribe(&agent, "v1_a").await;
    assert_eq!(first(&events).status.state, TaskState::Working);
    assert_eq!(first(&events).artifacts, None);
    assert_eq!(read(&events), "all of it");
    assert_eq!(last(&events).status.state, TaskState::Completed);
}

#[tokio::test]
async fn an_answer_that_was_cut_goes_on_in_the_same_task() {
    let piece = |id: &str, status: &str, text: &str| {
        let mut end = json!({"id": id, "status": status});
        if status == "requires_continuation" {
            end["continuation_token"] = json!(format!("token-{id}"));
        }
        Reply::sse(transcript(&[
            json!({"event_type": "interaction.created",
                "interaction": {"id": id, "status": "in_progress"}}),
            json!({"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}),
            json!({"event_type": "step.delta", "index": 0,
                "delta": {"type": "text", "text": text}}),
            json!({"event_type": "step.stop", "index": 0}),
            json!({"event_type": "interaction.completed", "interaction": end}),
        ]))
    };
    let (agent, sent) = replies(vec![
        piece("v1_a", "requires_continuation", "one "),
        piece("v1_b", "completed", "two"),
    ])
    .await;
    let events = stream(&agent, &text("hi")).await;
    assert_eq!(sent.requests().len(), 2);
    assert_eq!((first(&events).id.as_str(), read(&events).as_str()), ("v1_a", "one two"));
    assert_eq!(last(&events).task_id, "v1_a");
    assert_eq!(last(&events).status.state, TaskState::Completed);

    let cut = json!({"id": "v1_a", "status": "requires_continuation", "continuation_token": "t",
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": "one"}]}]});
    let (agent, _) = replies(vec![Reply::json(cut.to_string())]).await;
    let task = agent.get_task(&get("v1_a")).await.unwrap();
    assert_eq!((task.status.state, said_of(&task.artifacts)), (TaskState::Completed, "one".into()));
    assert_eq!(task.metadata.unwrap()["interactions/finish"], "incomplete");
}

fn said_of(artifacts: &Option<Vec<crate::wire::Artifact>>) -> String {
    let parts = artifacts.iter().flatten().flat_map(|artifact| &artifact.parts);
    parts.filter_map(Part::as_text).collect()
}

#[tokio::test]
async fn refusals_keep_what_the_service_said() {
    let refusal = |status: u16| Reply::error(status, "some_code", "some words");
    for (status, kind, reason) in [
        (400, FaultKind::InvalidParams, "INVALID_PARAMS"),
        (401, FaultKind::InvalidRequest, "UNAUTHENTICATED"),
        (403, FaultKind::InvalidRequest, "PERMISSION_DENIED"),
        (404, FaultKind::TaskNotFound, "TASK_NOT_FOUND"),
        (405, FaultKind::UnsupportedOperation, "UNSUPPORTED_OPERATION"),
        (429, FaultKind::Internal, "INTERNAL_ERROR"),
        (501, FaultKind::UnsupportedOperation, "UNSUPPORTED_OPERATION"),
        (503, FaultKind::Internal, "INTERNAL_ERROR"),
    ] {
        let reply = refusal(status).header("retry-after", "7").header("x-request-id", "r1");
        let (agent, _) = replies(vec![reply]).await;
        let error = agent.get_task(&get("v1_x")).await.unwrap_err();
        assert_eq!(FaultKind::from_code(error.code), kind, "{status}");
        let details = serde_json::to_value(error.details.unwrap()).unwrap();
        assert_eq!(details[0]["reason"], reason, "{status}");
        let facts = &details[0]["metadata"];
        assert_eq!(facts["httpStatus"], status.to_string());
        assert_eq!((&facts["code"], &facts["requestId"]), (&json!("some_code"), &json!("r1")));
        assert_eq!((&facts["retryAfter"], &details[1]["retryDelay"]), (&json!("7"), &json!("7s")));
    }
    // There is no task yet that could be unknown.
    let (agent, _) = replies(vec![refusal(404)]).await;
    assert_eq!(refused(&agent, &text("hi")).await.0, FaultKind::InvalidParams);
    // Work that runs, but not in the background.
    let running = Reply::json(json!({"id": "v1_x", "status": "in_progress"}).to_string());
    for status in [400, 409] {
        let ended = Reply::json(completed("v1_x", "x"));
        for state in [ended, running.clone()] {
            let (agent, _) = replies(vec![refusal(status), state]).await;
            let error = agent.cancel_task(&cancel("v1_x")).await.unwrap_err();
            assert_eq!(FaultKind::from_code(error.code), FaultKind::TaskNotCancelable);
        }
    }
}

#[tokio::test]
async fn reports_are_asked_for_when_a_message_is_sent_and_not_later() {
    let model = ScriptedModel::new([ScriptedTurn::text("one")]);
    let agent = agent_of(&model).await;
    let url = "https://me.example/hook";
    let push = |more: Value| {
        let mut push = json!({"url": url, "token": "t1"});
        push.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        configured(text("hi"), json!({"taskPushNotificationConfig": push}))
    };
    let task = send(&agent, &push(json!({}))).await;
    assert_eq!(said(&task), "one");
    let sent = serde_json::to_value(&model.requests()[0]).unwrap();
    assert_eq!(
        sent["webhook_config"],
        json!({"uris": [url], "user_metadata": {"a2a_token": "t1"}})
    );
    assert_eq!((&sent["background"], &sent["store"]), (&json!(true), &json!(true)));
    let secret = json!({"authentication": {"scheme": "Bearer", "credentials": "x"}});
    assert_eq!(refused(&agent, &push(secret)).await.0, FaultKind::InvalidParams);

    let later = TaskPushNotificationConfig {
        url: url.to_owned(),
        id: None,
        task_id: task.id,
        token: None,
        authentication: None,
        tenant: None,
    };
    let error = agent.create_push_config(&later).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::PushNotificationNotSupported);
}

#[tokio::test]
async fn requests_say_what_the_card_says() {
    let turns = (0..5).map(|_| ScriptedTurn::text("{}"));
    let model = ScriptedModel::new(turns);
    let base = CreateInteraction::new(Target::agent("a"), "left out").system_instruction("Brief.");
    let agent = agent(&client(model.transport()), &base, |factory| factory).await;
    let accepting = |modes: Value| configured(text("hi"), json!({"acceptedOutputModes": modes}));
    send(&agent, &text("hi")).await;
    send(&agent, &accepting(json!(["image/png", "text/plain"]))).await;
    send(&agent, &accepting(json!(["image/png", "image/jpeg"]))).await;
    send(&agent, &accepting(json!(["application/json"]))).await;
    let sent: Vec<Value> =
        model.requests().iter().map(|one| serde_json::to_value(one).unwrap()).collect();
    let plain = json!({"agent": "a", "input": "hi", "system_instruction": "Brief.",
        "store": true, "background": true});
    assert_eq!(sent[..2], [plain.clone(), plain]);
    assert_eq!(sent[2]["response_format"], json!({"type": "image"}));
    assert_eq!(
        sent[3]["response_format"],
        json!({"type": "text", "mime_type": "application/json"})
    );
    let (kind, _) = refused(&agent, &accepting(json!(["model/gltf"]))).await;
    assert_eq!(kind, FaultKind::ContentTypeNotSupported);
    let zip = Part::raw(vec![1]).with_media_type("application/zip");
    assert_eq!(refused(&agent, &message(vec![zip])).await.0, FaultKind::ContentTypeNotSupported);
    assert_eq!(refused(&agent, &message(Vec::new())).await.0, FaultKind::InvalidParams);
    assert_eq!(model.requests().len(), 4);

    let card =
        agent.get_extended_agent_card(&GetExtendedAgentCardRequest { tenant: None }).await.unwrap();
    assert_eq!(card, interactions_card("http://in-process", &base));
    let list: ListTasksRequest = serde_json::from_value(json!({})).unwrap();
    let error = agent.list_tasks(&list).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::UnsupportedOperation);
    let transport = InteractionsTransport::new(client(interactions_testing::never()), base);
    let old: ServiceParams = [("a2a-version".to_owned(), vec!["0.3".to_owned()])].into();
    let error = transport.send_message(&old, &text("hi")).await.unwrap_err();
    assert_eq!(FaultKind::from_code(error.code), FaultKind::VersionNotSupported);
    assert!(!format!("{transport:?}").contains("Brief"));
}

#[tokio::test]
async fn thoughts_are_told_as_far_as_wanted() {
    for wanted in [true, false] {
        let turn = ScriptedTurn::default().and_thought("hmm").and_text("yes");
        let model = ScriptedModel::new([turn]);
        let request = CreateInteraction::new("m", "");
        let agent = agent(&client(model.transport()), &request, |one| one.thoughts(wanted)).await;
        let events = stream(&agent, &text("hi")).await;
        let told = format!("{events:?}");
        assert_eq!(told.contains("hmm"), wanted, "{told}");
        assert!(read(&events) == "yes" && !told.contains("c2lnbmVk"), "{told}");
    }
}

#[tokio::test]
async fn the_end_of_a_context_is_not_guessed() {
    // A service that lists, but does not look at labels, would have us go on from anything.
    let list = json!({"interaction_metadatas": [{"id": "v1_other"}]}).to_string();
    let (agent, sent) =
        replies(vec![Reply::json(list), Reply::json(completed("v1_other", "x"))]).await;
    let (kind, why) = refused(&agent, &in_context(text("on"), "v1_c")).await;
    assert!(kind == FaultKind::UnsupportedOperation && why.contains("`v1_c`"), "{why}");
    assert_eq!(sent.requests().len(), 2);
    // One that is away for the moment is no such service.
    let (agent, _) = replies(vec![Reply::error(503, "unavailable", "later")]).await;
    assert_eq!(refused(&agent, &in_context(text("on"), "v1_c")).await.0, FaultKind::Internal);
}
