//! The executor against our own server with its scripted model.

use std::path::PathBuf;

use interactions_server::{Config, Server};
use interactions_transport::{SharedTransport, TowerTransport};
use interactions_types::{Function, JsonObject};
use serde_json::json;

use super::*;
use crate::wire::{Part, PartContent, TaskState};

struct Endpoint {
    server: Server,
    client: Client,
    dir: PathBuf,
}

impl Endpoint {
    async fn new(name: &str) -> Self {
        let dir =
            std::env::temp_dir().join(format!("interactions-a2a-{name}-{}", std::process::id()));
        let mut config = Config::default();
        config.data_dir = Some(dir.clone());
        let server = Server::builder(config).build().await.expect("a server");
        let client = Client::builder()
            .base_url("http://in-process")
            .transport(SharedTransport::new(TowerTransport::new(server.router())))
            .build()
            .expect("a client");
        Self { server, client, dir }
    }

    async fn close(self) {
        self.server.close().await;
        std::fs::remove_dir_all(self.dir).expect("the folder goes");
    }
}

fn turn(parts: Vec<Part>, previous: Option<&str>, answers: bool) -> Turn {
    Turn {
        caller: "me".into(),
        task_id: "t".into(),
        context_id: "c".into(),
        messages: vec![Message::new(Role::User, parts)],
        accepted_output_modes: Vec::new(),
        previous: previous.map(str::to_owned),
        answers,
        continues: false,
        number: 0,
        again: false,
    }
}

fn work(handle: &str) -> Work {
    Work { task_id: "t".into(), context_id: "c".into(), number: 0, handle: handle.to_owned() }
}

async fn begin(executor: &InteractionsExecutor, turn: Turn) -> Work {
    match executor.begin(&turn).await.expect("it begins") {
        Begun::Work(handle) => work(&handle),
        Begun::Asks(message) => panic!("{message:?}"),
    }
}

async fn told(executor: &InteractionsExecutor, work: &Work, after: usize) -> Vec<Update> {
    executor.follow(work, after).try_collect().await.expect("it is told to the end")
}

/// What was told, in short.
fn shape(updates: &[Update]) -> Vec<String> {
    let shown = updates.iter().map(|update| match update {
        Update::Status { state, .. } => format!("{state:?}"),
        Update::Artifact { artifact, append, last } => {
            let text: String = artifact.parts.iter().filter_map(Part::as_text).collect();
            format!("{}:{append}:{last}:{text}", artifact.artifact_id)
        }
        Update::Cut => "Cut".to_owned(),
    });
    shown.collect()
}

#[tokio::test]
async fn an_answer_comes_in_pieces_of_which_only_the_last_says_so() {
    let endpoint = Endpoint::new("pieces").await;
    let executor = InteractionsExecutor::new(endpoint.client.clone(), "scripted");
    let work = begin(&executor, turn(vec![Part::text("count to 3")], None, false)).await;
    let updates = told(&executor, &work, 0).await;
    let shape = shape(&updates);
    assert_eq!(shape.first().map(String::as_str), Some("Working"), "{shape:?}");
    assert_eq!(shape.last().map(String::as_str), Some("Completed"), "{shape:?}");
    let pieces: Vec<&str> = shape[1..shape.len() - 1].iter().map(String::as_str).collect();
    assert!(pieces.len() > 1, "{pieces:?}");
    for (index, piece) in pieces.iter().enumerate() {
        let (append, last) = (index > 0, index + 1 == pieces.len());
        assert!(piece.starts_with(&format!("1-step-0:{append}:{last}:")), "{pieces:?}");
    }
    // The same every time, and from every place.
    for after in 0..=updates.len() {
        assert_eq!(told(&executor, &work, after).await, updates[after..]);
    }
    // As a whole it is the same answer.
    let whole = executor.look(&work).await.unwrap();
    let text = |updates: &[Update]| -> String {
        let parts = updates.iter().filter_map(|update| match update {
            Update::Artifact { artifact, .. } => Some(&artifact.parts),
            _ => None,
        });
        parts.flatten().filter_map(Part::as_text).collect()
    };
    assert_eq!(text(&whole), text(&updates));
    assert_eq!(whole.last(), updates.last());
    endpoint.close().await;
}

fn with_function(endpoint: &Endpoint) -> InteractionsExecutor {
    let function = Function::new("ask_human").parameters(json!({
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
    }));
    let request = CreateInteraction::new("scripted", "").tools(vec![function.into()]);
    InteractionsExecutor::with_request(endpoint.client.clone(), request)
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_a_question_and_its_answer_goes_on() {
    let endpoint = Endpoint::new("question").await;
    let executor = with_function(&endpoint);
    let asked = turn(vec![Part::text("ask a human")], None, false);
    let work = begin(&executor, asked).await;
    let updates = told(&executor, &work, 0).await;
    let Some(Update::Status { state: TaskState::InputRequired, message: Some(message), .. }) =
        updates.last()
    else {
        panic!("{updates:?}")
    };

    let PartContent::Data(call) = &message.parts[1].content else { panic!() };
    assert_eq!(call["name"], "ask_human");
    let question = call["arguments"]["question"].as_str();
    assert!(question.is_some() && message.parts[0].as_text() == question, "{message:?}");
    let metadata = message.parts[1].metadata.as_ref().unwrap();
    assert_eq!(metadata["adk_type"], "function_call");
    assert_eq!(metadata["adk_is_long_running"], true);

    let mut answer = Part::data(json!({"id": call["id"], "name": "ask_human", "response": "yes"}));
    answer.metadata = Some([("adk_type".to_owned(), json!("function_response"))].into());
    let next = begin(&executor, turn(vec![answer], Some(&work.handle), true)).await;
    let stored = endpoint.client.get(next.handle.as_str()).include_input().await.unwrap();
    assert_eq!(stored.previous_interaction_id.as_ref().map(|id| id.as_str()), Some(&*work.handle));
    let updates = told(&executor, &next, 0).await;
    assert_eq!(shape(&updates).last().map(String::as_str), Some("Completed"));

    // An answer to something else is refused, since it would be lost.
    let stray = Part::data(json!({"id": "nonsense", "result": 1}));
    let fault = executor.begin(&turn(vec![stray], Some(&work.handle), true)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::InvalidParams);
    endpoint.close().await;
}

#[tokio::test]
async fn what_a_dead_host_has_begun_is_found_again() {
    let endpoint = Endpoint::new("again").await;
    let executor = InteractionsExecutor::new(endpoint.client.clone(), "scripted");
    let first = begin(&executor, turn(vec![Part::text("hi")], None, false)).await;
    let mut again = turn(vec![Part::text("hi")], None, false);
    again.again = true;
    assert_eq!(begin(&executor, again.clone()).await, first);
    again.task_id = "another".into();
    assert_ne!(begin(&executor, again).await.handle, first.handle);
    endpoint.close().await;
}

#[tokio::test]
async fn work_can_be_stopped_and_work_that_is_gone_is_lost() {
    let endpoint = Endpoint::new("stop").await;
    let executor = InteractionsExecutor::new(endpoint.client.clone(), "scripted");
    let work = begin(&executor, turn(vec![Part::text("wait 60")], None, false)).await;
    executor.cancel(&work).await.unwrap();
    assert_eq!(shape(&told(&executor, &work, 0).await).last().unwrap(), "Canceled");
    // Twice is once.
    executor.cancel(&work).await.unwrap();
    let nowhere = Work { handle: "v1_nobody".into(), ..work };
    assert!(matches!(executor.look(&nowhere).await, Err(Lost::Gone(_))));
    let followed: Result<Vec<Update>, Lost> = executor.follow(&nowhere, 0).try_collect().await;
    assert!(matches!(followed, Err(Lost::Gone(_))), "{followed:?}");
    endpoint.close().await;
}

#[test]
fn thoughts_signatures_and_tools_are_told_as_far_as_wanted() {
    let call = FunctionCall::new("c", "f", JsonObject::new()).signature("s");
    let mut interaction = Interaction::new("v1_x", Status::Completed);
    interaction.steps = vec![
        interactions_types::Thought::new()
            .summary(vec![interactions_types::Content::text("hm")])
            .signature("secret")
            .into(),
        call.into(),
    ];
    let tell = |thoughts, detail| {
        let telling = Telling { thoughts, detail, structured: false };
        let updates = Teller::new(&work("v1_x"), telling).retell(&interaction);
        format!("{updates:?}")
    };
    let nothing = tell(false, Detail::None);
    assert!(!nothing.contains("hm") && !nothing.contains("\"f\""), "{nothing}");
    let thoughts = tell(true, Detail::Summary);
    assert!(thoughts.contains("hm") && thoughts.contains("\"f\""), "{thoughts}");
    for told in [thoughts, tell(true, Detail::Full)] {
        assert!(!told.contains("secret") && !told.contains("signature"), "{told}");
    }
}

#[test]
fn structured_output_is_one_value() {
    let mut interaction = Interaction::new("v1_x", Status::Completed);
    interaction.steps = vec![Step::model_text(r#"{"a": [1]}"#)];
    let telling = Telling { thoughts: true, detail: Detail::None, structured: true };
    let updates = Teller::new(&work("v1_x"), telling).retell(&interaction);
    let Update::Artifact { artifact, .. } = &updates[1] else { panic!("{updates:?}") };
    assert_eq!(artifact.parts[0].content, PartContent::Data(json!({"a": [1]})));
    assert_eq!(artifact.parts[0].media_type.as_deref(), Some("application/json"));
}
