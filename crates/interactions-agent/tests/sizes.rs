//! However a text gets to the model, it is no larger than the agent allows.

use async_trait::async_trait;
use interactions_agent::{
    Agent, AgentBuilder, Decisions, Hooks, RunState, ToolContext, ToolError, ToolExt, Verdict,
    tool_fn_with,
};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use interactions_types::{FunctionCall, ToolOutput};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const LIMIT: usize = 1000;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn script() -> ScriptedModel {
    ScriptedModel::new([Turn::call("c1", "tell", json!({})), Turn::text("Done.")])
}

fn agent(model: &ScriptedModel) -> AgentBuilder {
    let client = Client::builder().transport(model.transport()).build().expect("a client");
    Agent::builder(client, "m").max_tool_output(LIMIT)
}

fn long() -> String {
    "x".repeat(50 * LIMIT)
}

fn assert_bounded(model: &ScriptedModel, how: &str) {
    let results = model.results();
    assert_eq!(results.len(), 1, "{how}");
    let text = results[0].result.to_text();
    assert!(text.len() < LIMIT && text.contains("50000 bytes"), "{how}: {} bytes", text.len());
    assert_eq!(results[0].is_error, Some(true), "{how}");
}

#[derive(Debug)]
struct Talkative {
    before: bool,
}

#[async_trait]
impl Hooks for Talkative {
    async fn before_tool(&self, _: &RunState, _: &mut FunctionCall) -> Verdict {
        if self.before { Verdict::Answer(long().into()) } else { Verdict::Run }
    }

    async fn after_tool(
        &self,
        _: &RunState,
        _: &FunctionCall,
        output: &mut ToolOutput,
        _: &mut bool,
    ) {
        *output = long().into();
    }
}

#[tokio::test]
async fn what_tools_and_hooks_say_is_bounded() {
    for (how, error) in [
        ("a failure", ToolError::new(long())),
        ("a hint", ToolError::retry(long())),
        ("a question", ToolError::input(long(), None)),
    ] {
        let model = script();
        let tell = tool_fn_with("tell", "Tells.", move |_: ToolContext, _: Nothing| {
            let error = error.clone();
            async move { Err::<(), _>(error) }
        });
        agent(&model).tool(tell).build().run("go").await.unwrap();
        assert_bounded(&model, how);
    }
    for before in [true, false] {
        let model = script();
        let tell = tool_fn_with("tell", "Tells.", |_: ToolContext, _: Nothing| async {
            Ok::<_, ToolError>("short")
        });
        agent(&model).tool(tell).hooks(Talkative { before }).build().run("go").await.unwrap();
        assert_bounded(&model, if before { "a hook instead" } else { "a hook afterwards" });
    }
}

#[tokio::test]
async fn what_people_decide_is_bounded() {
    let decisions: [(&str, Decisions); 2] = [
        ("an answer", Decisions::new().answer("c1", long())),
        (
            "a denial",
            Decisions::new().deny("c1", "x".repeat(50 * LIMIT - "It was not allowed: ".len())),
        ),
    ];
    for (how, decisions) in decisions {
        let model = script();
        let tell = tool_fn_with("tell", "Tells.", |_: ToolContext, _: Nothing| async {
            Ok::<_, ToolError>("short")
        });
        let agent = agent(&model).tool(tell.needs_approval()).build();
        let state = agent.run("go").await.unwrap().paused().unwrap().clone();
        agent.resume(state, decisions).finish().await.unwrap();
        assert_bounded(&model, how);
    }
}
