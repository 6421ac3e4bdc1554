//! Files through an MCP server, with a person who approves what is written.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-file-assistant
//! ```
//!
//! It starts `@modelcontextprotocol/server-filesystem` with npx, which fetches it the first time.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::fs;

use interactions_agent::interactions_mcp::McpCommand;
use interactions_agent::{Agent, Decisions, McpTools};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("interactions-files-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    fs::write(folder.join("notes.txt"), "milk\nbread\n")?;
    let (notes, list) = (folder.join("notes.txt"), folder.join("list.md"));

    // In place of `Client::from_env()`.
    let model = ScriptedModel::new([
        ScriptedTurn::call("c1", "read_text_file", json!({"path": notes})),
        ScriptedTurn::call(
            "c2",
            "write_file",
            json!({"path": list, "content": "- milk\n- bread\n"}),
        ),
        ScriptedTurn::text("Your list is in list.md."),
    ]);
    let client = Client::builder().transport(model.transport()).build()?;

    let package = "@modelcontextprotocol/server-filesystem@2026.8.31";
    let command = McpCommand::new("npx", ["-y".as_ref(), package.as_ref(), folder.as_os_str()]);
    let files = McpTools::spawn(command.name("files")).approve_writes();
    let agent = Agent::builder(client, "any-model").toolset(files.clone()).build();

    let mut outcome = agent.run("Make a list of my notes.").await?;
    // Reading went through; writing waits for somebody.
    while let Some(state) = outcome.paused().cloned() {
        let mut decisions = Decisions::new();
        for call in state.pending() {
            println!("{} wants to run with {}", call.name, serde_json::to_string(&call.arguments)?);
            println!("… and is approved");
            decisions = decisions.approve(call.id);
        }
        outcome = agent.resume(state, decisions).finish().await?;
    }
    println!("{}", outcome.output_text());
    let written = fs::read_to_string(&list)?;
    assert_eq!(written, "- milk\n- bread\n");
    print!("{written}");
    files.shutdown().await;
    fs::remove_dir_all(&folder)?;
    Ok(())
}
