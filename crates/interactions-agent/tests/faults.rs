//! Tools that misbehave, and how quick the loop is when nothing does.

use std::time::{Duration, Instant};

use interactions_agent::{Agent, AgentBuilder, Tool, ToolExt, tool_fn};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn agent(model: &ScriptedModel) -> AgentBuilder {
    let client = Client::builder().transport(model.transport()).build().expect("a client");
    Agent::builder(client, "m")
}

/// What the model is told when it calls this tool.
async fn told_of(tool: impl Tool) -> (String, Option<bool>) {
    let name = tool.declaration().name;
    let model = ScriptedModel::new([Turn::call("c1", &name, json!({})), Turn::text("I see.")]);
    let outcome = agent(&model).tool(tool).build().run("go").await.expect("an outcome");
    assert_eq!(outcome.output_text(), "I see.");
    let result = model.results().remove(0);
    (result.result.to_text(), result.is_error)
}

#[tokio::test]
async fn a_tool_that_misbehaves_is_the_models_matter() {
    let hangs = tool_fn("hangs", "Hangs.", |_: Nothing| async {
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    });
    let (told, failed) = told_of(hangs.timeout(Duration::from_millis(50))).await;
    assert!(failed == Some(true) && told.contains("longer than 50ms"), "{told}");

    let panics = tool_fn("panics", "Panics.", |nothing: Nothing| async move {
        let Nothing {} = nothing;
        if true {
            panic!("a secret of the program");
        }
        Ok::<_, String>(())
    });
    let (told, failed) = told_of(panics).await;
    assert!(failed == Some(true) && told.contains("crashed") && !told.contains("secret"), "{told}");

    let floods = tool_fn("floods", "Floods.", |_: Nothing| async {
        Ok::<_, String>("x".repeat(50 * 1024 * 1024))
    });
    let (told, failed) = told_of(floods).await;
    assert!(failed == Some(true) && told.contains("52428800 bytes"), "{told}");
}

#[tokio::test]
async fn tools_of_a_tenth_of_a_second_take_a_tenth_of_a_second_together() {
    let calls =
        (0..8).fold(Turn::default(), |turn, n| turn.and_call(&format!("c{n}"), "wait", json!({})));
    let model = ScriptedModel::new([calls, Turn::text("ok")]);
    let wait = tool_fn("wait", "Waits.", |_: Nothing| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, String>(())
    });
    let agent = agent(&model).tool(wait).build();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    agent.run("go").await.unwrap();
    // On the paused clock only what is waited for counts, so this cannot depend on the machine.
    assert!(began.elapsed() <= Duration::from_millis(120), "{:?}", began.elapsed());
}

/// Not a test of speed but a look at it: `cargo test --release -p interactions-agent --test faults -- --nocapture overhead`.
#[tokio::test]
async fn overhead_of_a_turn() {
    const TURNS: u32 = 200;
    let turns = || (0..TURNS).map(|n| Turn::call(&format!("c{n}"), "nop", json!({})));
    let nop = || tool_fn("nop", "Nothing.", |_: Nothing| async { Ok::<_, String>(()) });
    let model = ScriptedModel::new(turns().chain([Turn::text("ok")]));
    let agent = agent(&model).tool(nop()).max_turns(TURNS + 1).build();
    let began = Instant::now();
    agent.run("go").await.unwrap();
    let with_loop = began.elapsed() / TURNS;

    let model = ScriptedModel::new(turns());
    let client = Client::builder().transport(model.transport()).build().expect("a client");
    let began = Instant::now();
    for request in model_requests(&client) {
        let mut events = request.into_future().await.unwrap();
        while let Some(event) = futures::StreamExt::next(&mut events).await {
            event.unwrap();
        }
    }
    let bare = began.elapsed() / TURNS;
    println!("a turn: {with_loop:?} with the loop, {bare:?} without");
}

fn model_requests(
    client: &Client,
) -> impl Iterator<Item = interactions_client::CreateStream> + use<'_> {
    (0..200).map(|_| client.create(interactions_types::CreateInteraction::new("m", "go")).stream())
}
