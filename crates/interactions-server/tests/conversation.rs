//! Conversations: what a model is told, turn by turn.

mod harness;

use harness::Harness;
use interactions_testing::{ChatStub, Dialect};
use interactions_types::{CreateInteraction, Function, Input, Status, Step};
use serde_json::{Value, json};

fn lookup() -> interactions_types::Tool {
    Function::new("lookup")
        .parameters(json!({"type": "object", "properties": {"query": {"type": "string"}}}))
        .into()
}

fn roles_and_texts(request: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    request["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|m| (text(&m["role"]), text(&m["content"])))
        .collect()
}

#[tokio::test]
async fn a_chain_with_a_fork_tells_the_model_its_own_branch_only() {
    let stub = ChatStub::start(Dialect::Vllm).await.unwrap();
    let server = Harness::with_chat(&stub.base_url()).await;
    let first =
        CreateInteraction::new("m", "one").system_instruction("be kind").tools(vec![lookup()]);
    let first = server.client.create(first).await.unwrap();
    assert_eq!(first.output_text(), "You said: one");
    assert_eq!(first.usage.as_ref().unwrap().total_thought_tokens, Some(2));

    let follow = |text: &str, id: &interactions_types::InteractionId| {
        CreateInteraction::new("m", text).previous_interaction_id(id)
    };
    let left = server.client.create(follow("left", &first.id)).await.unwrap();
    let right = server.client.create(follow("right", &first.id)).await.unwrap();
    let leaf = server.client.create(follow("leaf", &left.id)).await.unwrap();
    assert_eq!(leaf.previous_interaction_id, Some(left.id.clone()));

    let requests = stub.requests();
    assert_eq!(roles_and_texts(&requests[0])[0], ("system".into(), "be kind".into()));
    let turn = |user: &str| {
        [("user".into(), user.into()), ("assistant".into(), format!("You said: {user}"))]
    };
    let ask = |user: &str| ("user".to_owned(), user.to_owned());
    let on_right: Vec<_> = turn("one").into_iter().chain([ask("right")]).collect();
    assert_eq!(
        roles_and_texts(&requests[2]),
        on_right,
        "the other branch and the first turn's instruction are not told"
    );
    let on_leaf: Vec<_> =
        turn("one").into_iter().chain(turn("left")).chain([ask("leaf")]).collect();
    assert_eq!(roles_and_texts(&requests[3]), on_leaf);
    assert!(requests[3].get("tools").is_none(), "tools are not inherited");
    assert_eq!(server.client.get(&right.id).await.unwrap().steps[0], Step::user_text("right"));
}

#[tokio::test]
async fn function_calls_go_to_the_client_and_back_in_every_dialect() {
    for dialect in [Dialect::Vllm, Dialect::Ollama, Dialect::Plain] {
        let stub = ChatStub::start(dialect).await.unwrap();
        let server = Harness::with_chat(&stub.base_url()).await;
        let ask = CreateInteraction::new("m", "please lookup and lookup_more");
        let more = Function::new("lookup_more");
        let asked = server.client.create(ask.tools(vec![lookup(), more.into()])).await.unwrap();
        assert_eq!(asked.status, Status::RequiresAction, "{dialect:?}");
        let calls = asked.pending_calls();
        assert_eq!(
            calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(),
            ["lookup", "lookup_more"]
        );
        assert_eq!(calls[0].arguments["query"], "please lookup and lookup_more");
        assert_ne!(calls[0].id, calls[1].id, "{dialect:?}");

        let partly =
            CreateInteraction::new("m", calls[0].result("half")).previous_interaction_id(&asked.id);
        let refusal = server.client.create(partly).await.unwrap_err();
        assert_eq!(refusal.status(), Some(400));
        assert!(refusal.to_string().contains(calls[1].id.as_str()), "{refusal}");

        let results = vec![calls[1].result("second"), calls[0].result("first")];
        let answered = CreateInteraction::new("m", results).previous_interaction_id(&asked.id);
        let answered = server.client.create(answered).await.unwrap();
        assert_eq!(answered.status, Status::Completed);
        assert_eq!(answered.output_text(), "The tools said: second and first", "{dialect:?}");
    }
}

#[tokio::test]
async fn a_history_can_be_sent_whole_instead() {
    let stub = ChatStub::start(Dialect::Plain).await.unwrap();
    let server = Harness::with_chat(&stub.base_url()).await;
    let history = vec![Step::user_text("a"), Step::model_text("b"), Step::user_text("c")];
    let request = CreateInteraction::new("m", Input::Steps(history)).store(false);
    let reply = server.client.create(request).await.unwrap();
    assert_eq!(reply.output_text(), "You said: c");
    let told = roles_and_texts(&stub.requests()[0]);
    assert_eq!(
        told.iter().map(|(role, _)| role.as_str()).collect::<Vec<_>>(),
        ["user", "assistant", "user"]
    );
    assert_eq!(
        server.client.get(&reply.id).await.unwrap_err().status(),
        Some(404),
        "it was not to be stored"
    );
}

#[tokio::test]
async fn results_nested_in_a_user_turn_are_lifted() {
    let server = Harness::new().await;
    let (status, asked) = server
        .post(json!({"model": "scripted", "input": "weather?", "tools": [{"type": "function", "name": "get_weather"}]}))
        .await;
    assert_eq!((status, &asked["status"]), (200, &json!("requires_action")));
    let call = asked["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["type"] == "function_call")
        .unwrap();
    let nested = json!([{"type": "user_input", "content": [
        {"type": "function_result", "call_id": call["id"], "name": "get_weather", "result": "sunny"}]}]);
    let (status, answer) = server
        .post(json!({"model": "scripted", "previous_interaction_id": asked["id"], "input": nested}))
        .await;
    assert_eq!((status, &answer["status"]), (200, &json!("completed")), "{answer}");
    assert!(answer["steps"].to_string().contains("sunny"));
}

#[tokio::test]
async fn a_deleted_ancestor_is_named() {
    let server = Harness::new().await;
    let mut ids = Vec::new();
    let mut previous = None;
    for text in ["a", "b", "c"] {
        let mut request = CreateInteraction::new("scripted", text);
        request.previous_interaction_id = previous;
        let interaction = server.client.create(request).await.unwrap();
        previous = Some(interaction.id.clone());
        ids.push(interaction.id);
    }
    server.client.delete(&ids[0]).await.unwrap();
    assert_eq!(server.client.delete(&ids[0]).await.unwrap_err().status(), Some(404));
    assert_eq!(server.client.get(&ids[0]).await.unwrap_err().code(), Some("not_found"));
    let chain = |id| {
        server.client.create(CreateInteraction::new("scripted", "x").previous_interaction_id(id))
    };
    let through = chain(&ids[2]).await.unwrap_err();
    assert_eq!(through.status(), Some(400));
    assert!(through.to_string().contains(ids[0].as_str()), "{through}");
    assert_eq!(chain(&ids[0]).await.unwrap_err().status(), Some(404));
    assert!(server.client.get(&ids[2]).await.is_ok(), "its own turn stays");
}

#[tokio::test]
async fn a_server_can_stand_before_a_server() {
    let upstream = Harness::new().await;
    let mut config = interactions_server::Config::default();
    config.data_dir = Some(harness::directory());
    let front = interactions_server::Server::builder(config)
        .model("gemini-*", interactions_server::model::Upstream::new(upstream.client.clone()))
        .build()
        .await;
    // The upstream knows no gemini, and says so through the front.
    let front = front.unwrap();
    let transport = interactions_transport::TowerTransport::new(front.router());
    let client = interactions_client::Client::builder()
        .base_url("http://front")
        .transport(interactions_transport::SharedTransport::new(transport))
        .build()
        .unwrap();
    let unknown = client.create(CreateInteraction::new("gemini-9", "hi")).await.unwrap();
    assert_eq!(unknown.status, Status::Failed);
    assert_eq!(unknown.errors.unwrap()[0].code.as_deref(), Some("model_not_found"));
    assert!(client.list().await.unwrap().ids().contains(&unknown.id));
    assert!(upstream.client.list().await.unwrap().ids().is_empty(), "the upstream stores nothing");
}
