//! MCP servers under an agent, against the protocol's own reference server, when one is there.
//!
//! `INTERACTIONS_MCP_EVERYTHING_STDIO` is the command that starts
//! `@modelcontextprotocol/server-everything` on standard input and output, split at spaces.
//! Without it the tests pass and say so.
#![cfg(all(feature = "mcp", unix))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::process::Command;
use std::time::Duration;

use futures::StreamExt;
use interactions_agent::interactions_mcp::McpCommand;
use interactions_agent::{Agent, Decisions, McpTools, Need, RunEvent, ToolsetExt};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use serde_json::json;

/// The command's words, unless there is none.
fn words() -> Option<Vec<String>> {
    let command = std::env::var("INTERACTIONS_MCP_EVERYTHING_STDIO").ok();
    if command.is_none() {
        eprintln!("skipped: INTERACTIONS_MCP_EVERYTHING_STDIO is not set");
    }
    Some(command?.split(' ').map(str::to_owned).collect())
}

fn agent(model: &ScriptedModel, tools: &McpTools) -> Agent {
    let client = Client::builder().transport(model.transport()).build().unwrap();
    Agent::builder(client, "m").toolset(tools.clone().prefixed("every_")).build()
}

#[tokio::test]
async fn what_a_server_asks_a_person_pauses_the_run() {
    let Some(words) = words() else { return };
    let model = ScriptedModel::new([
        Turn::call("c1", "every_trigger-elicitation-request", json!({})),
        Turn::text("Thank you."),
    ]);
    let command = McpCommand::new(&words[0], &words[1..]).asks_people();
    let tools = McpTools::spawn(command);
    let agent = agent(&model, &tools);
    let outcome = agent.run("Ask me.").await.unwrap();
    let state = outcome.paused().expect("it waits for a person").clone();
    let pending = state.pending();
    let Need::Input { message, schema: Some(schema) } = &pending[0].need else {
        panic!("{pending:?}");
    };
    assert!(!message.is_empty() && schema["type"] == "object", "{message} {schema}");
    let required = schema["required"].as_array().into_iter().flatten();
    let answer: serde_json::Map<_, _> = required
        .filter_map(|name| Some((name.as_str()?.to_owned(), json!("Ada Lovelace"))))
        .collect();
    let decisions = Decisions::new().answer("c1", serde_json::Value::Object(answer));
    let outcome = agent.resume(state, decisions).finish().await.unwrap();
    assert_eq!(outcome.output_text(), "Thank you.");
    let told = model.results()[0].result.to_text();
    assert!(told.contains("Ada"), "{told}");
    tools.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_is_started_again() {
    let Some(words) = words() else { return };
    let model = ScriptedModel::new([
        Turn::call(
            "c1",
            "every_trigger-long-running-operation",
            json!({"duration": 30, "steps": 5}),
        ),
        Turn::call("c2", "every_echo", json!({"message": "again"})),
        Turn::text("It is back."),
    ]);
    let pid = std::env::temp_dir().join(format!("interactions-everything-{}", std::process::id()));
    let script = format!("echo $$ > '{}'; exec \"$@\"", pid.display());
    let mut arguments = vec!["-c".to_owned(), script, "sh".to_owned()];
    arguments.extend(words);
    let tools = McpTools::spawn(McpCommand::new("sh", arguments).name("everything"));
    let agent = agent(&model, &tools);
    let mut run = agent.stream("Go.");
    let mut outcome = None;
    while let Some(event) = run.next().await {
        match event.unwrap() {
            RunEvent::CallReady { id, .. } if id.as_str() == "c1" => {
                let pid = std::fs::read_to_string(&pid).unwrap();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
                });
            }
            RunEvent::Finished(finished) => outcome = Some(finished),
            _ => {}
        }
    }
    assert_eq!(outcome.unwrap().output_text(), "It is back.");
    let results = model.results();
    assert_eq!(results[0].is_error, Some(true), "{results:?}");
    assert!(results[1].result.to_text().contains("again"), "{results:?}");
    tools.shutdown().await;
    let _ = std::fs::remove_file(&pid);
}
