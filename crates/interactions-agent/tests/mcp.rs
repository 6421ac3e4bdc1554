//! MCP servers whose tools change, whose output is garbage: shell scripts stand in for them.
#![cfg(all(feature = "mcp", unix))]

use interactions_agent::interactions_mcp::{McpCommand, McpEndpoint};
use interactions_agent::{Agent, McpTools};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use serde_json::json;

/// Has one tool, and another one once the first was called; prints garbage on the way.
const SERVER: &str = r#"
say() { printf '%s\n' "$1"; }
more=''
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) say '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"sh","version":"1"}}}' ;;
    *'"tools/list"'*) say '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"unlock","inputSchema":{"type":"object"}}'"$more"']}}' ;;
    *'"tools/call"'*)
      more=',{"name":"secret","inputSchema":{"type":"object"}}'
      printf 'garbage \377 that is not UTF-8\n'
      say '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
      printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"open \377 sesame"}]}}\n' "$id" ;;
  esac
done
"#;

#[tokio::test]
async fn tools_that_a_server_has_grown_are_there_in_the_next_turn() {
    let model = ScriptedModel::new([
        Turn::call("c1", "unlock", json!({})),
        Turn::call("c2", "secret", json!({})),
        Turn::text("Done."),
    ]);
    let client = Client::builder().transport(model.transport()).build().unwrap();
    let tools = McpTools::spawn(McpCommand::new("sh", ["-c", SERVER]).name("script"));
    let agent = Agent::builder(client, "m").toolset(tools.clone()).build();
    let outcome = agent.run("go").await.unwrap();
    assert_eq!(outcome.output_text(), "Done.");
    let offered: Vec<usize> =
        model.requests().iter().map(|request| request.tools.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!(offered, [1, 2, 2]);
    let results = model.results();
    assert!(results[0].result.to_text().starts_with("open"), "{results:?}");
    assert_eq!(results[1].is_error, None, "{results:?}");
    tools.shutdown().await;
}

#[test]
fn one_line_decides_who_calls_a_server() {
    let endpoint = McpEndpoint::http("https://docs.example.com/mcp").unwrap();
    let endpoint = endpoint.name("docs").header("authorization", "Bearer x").unwrap();
    let tool = interactions_types::Tool::from(endpoint.as_server_tool());
    assert_eq!(
        json!(tool),
        json!({"type": "mcp_server", "name": "docs", "url": "https://docs.example.com/mcp",
               "headers": {"authorization": "Bearer x"}})
    );
    assert!(!format!("{tool:?}").contains("Bearer x"));
}
