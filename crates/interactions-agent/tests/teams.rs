//! Agents as tools of each other: how long they may work, and who pays.

use std::time::Duration;

use interactions_agent::{Agent, AgentBuilder, Limit, Limits, ToolExt, tool_fn};
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

/// An agent that spends 10 tokens and then works for ninety seconds.
fn researcher() -> Agent {
    let model = ScriptedModel::new([
        Turn::call("s1", "read", json!({})).usage(7, 3),
        Turn::text("Found.").usage(7, 3),
    ]);
    let read = tool_fn("read", "Reads for long.", |_: Nothing| async {
        tokio::time::sleep(Duration::from_secs(90)).await;
        Ok::<_, String>("much")
    });
    agent(&model).tool(read.timeout(Duration::from_secs(100))).build()
}

fn asks() -> ScriptedModel {
    ScriptedModel::new([
        Turn::call("c1", "research", json!({"task": "find it"})).usage(1, 1),
        Turn::text("Done.").usage(1, 1),
    ])
}

#[tokio::test(start_paused = true)]
async fn an_agent_as_a_tool_works_longer_than_a_tool_may() {
    let model = asks();
    let outcome = agent(&model)
        .tool(researcher().as_tool("research", "Finds things."))
        .build()
        .run("go")
        .await
        .unwrap();
    let results: Vec<String> = model.results().iter().map(|it| it.result.to_text()).collect();
    assert_eq!(results, ["Found."]);
    assert_eq!(outcome.usage.total_input_tokens, Some(16));
    assert_eq!(outcome.usage.total_output_tokens, Some(8));

    // Under the time limit of ordinary tools it would not come to its end.
    let model = asks();
    let ordinary = researcher().as_tool("research", "Finds things.");
    let ordinary = ordinary.ruled(|rules| rules.timeout = None);
    agent(&model).tool(ordinary).build().run("go").await.unwrap();
    assert!(model.results()[0].result.to_text().contains("longer than 60s"));
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_has_spent_counts_when_it_is_broken_off() {
    // By a time limit of its own as a tool: the run goes on.
    let model = asks();
    let brief = researcher().as_tool("research", "Finds things.").timeout(Duration::from_secs(5));
    let outcome = agent(&model).tool(brief).build().run("go").await.unwrap();
    assert!(model.results()[0].result.to_text().contains("longer than 5s"));
    assert_eq!(outcome.usage.total_input_tokens, Some(9));

    // By the time limit of the run that has called it.
    let model = asks();
    let limit = Duration::from_secs(30);
    let error = agent(&model)
        .tool(researcher().as_tool("research", "Finds things."))
        .limits(Limits::new().wall_time(limit))
        .build()
        .run("go")
        .await
        .unwrap_err();
    assert_eq!(error.limit(), Some(&Limit::WallTime(limit)));
    assert_eq!(error.outcome().usage.total_input_tokens, Some(8));
}
