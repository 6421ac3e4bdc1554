//! A research agent with its own steps, hosted in the server for anybody's SDK.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-deep-research
//! ```
//!
//! With `serve`, it stays, and any client of the API can ask for the agent `researcher`:
//!
//! ```text
//! client.interactions.create(agent="researcher", input="…", background=True)
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod library;

use std::error::Error;
use std::path::Path;

use futures::StreamExt;
use interactions_agent::{Agent, McpTools};
use interactions_client::{Client, Update};
use interactions_mcp::McpCommand;
use interactions_server::{Config, Server};
use interactions_transport::{SharedTransport, TowerTransport};
use interactions_types::{CreateInteraction, Step, Target};

/// What the researcher thinks with, where no key is at hand: a plan with three searches side by
/// side, and a report on what they found.
const RULES: &str = r#"
[[rules]]
after = "search"
steps = [{ text = "Report\n\n{results}\n\nEvery sentence names its source.", chunk = 16, delay_ms = 5 }]

[[rules]]
prompt = ""
steps = [
    { thought = "Plan: what it is, how it came to be, what is open. Three searches, side by side." },
    { call = "search", arguments = { query = "what" } },
    { call = "search", arguments = { query = "history" } },
    { call = "search", arguments = { query = "open questions" } },
]
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("library") {
        // The MCP server that the researcher searches in, as a process of its own.
        return library::serve().await;
    }
    let folder = std::env::temp_dir().join(format!("interactions-research-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let server = server(&folder).await?;
    let done = match argument.as_deref() {
        Some("serve") => serve(&server).await,
        _ => ask(&server).await,
    };
    server.close().await;
    std::fs::remove_dir_all(&folder)?;
    done
}

/// A server that hosts the researcher, which thinks with a model of another one.
async fn server(folder: &Path) -> Result<Server, Box<dyn Error>> {
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES)?;
    std::fs::write(
        folder.join("brain.toml"),
        "[[models]]\nmatch = \"*\"\nadapter = \"scripted\"\nscript = \"rules.toml\"\n",
    )?;
    let mut config = Config::load(&folder.join("brain.toml"))?;
    config.data_dir = Some(folder.join("brain"));
    let brain = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(brain.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;

    let library = McpCommand::new(std::env::current_exe()?, ["library"]).name("library");
    let researcher = Agent::builder(client, "any-model")
        .name("researcher")
        .system_instruction("Plan, search side by side, and write a report that names its sources.")
        .toolset(McpTools::spawn(library))
        .build();
    let mut config = Config::default();
    config.listen = "127.0.0.1:0".to_owned();
    config.data_dir = Some(folder.join("server"));
    Ok(Server::builder(config).agent("researcher", researcher).build().await?)
}

async fn serve(server: &Server) -> Result<(), Box<dyn Error>> {
    let listener = server.bind().await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async {
        // Without a way to hear of it, the process ends as any other.
        let _ = tokio::signal::ctrl_c().await;
    };
    Ok(server.serve(listener, stop).await?)
}

/// Asks as anybody would, in the background, and follows what the agent does.
async fn ask(server: &Server) -> Result<(), Box<dyn Error>> {
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;
    let task = CreateInteraction::new("", "What is Rayleigh scattering?")
        .target(Target::agent("researcher"))
        .background(true);
    let begun = client.create(task).await?;
    println!("{} is {}", begun.id, begun.status);
    let mut updates = client.watch(begun.id).stream();
    let mut report = None;
    while let Some(update) = updates.next().await {
        if let Update::State(state) = update?
            && !state.status.is_running()
        {
            report = Some(state);
        }
    }
    let report = report.ok_or("no report came")?;
    for step in &report.steps {
        match step {
            Step::FunctionCall(call) => println!("searched for {:?}", call.arguments["query"]),
            Step::ModelOutput(_) => println!("\n{}", report.output_text()),
            _ => {}
        }
    }
    let cited = ["[1]", "[2]", "[3]"].iter().all(|source| report.output_text().contains(source));
    assert!(cited, "{}", report.output_text());
    Ok(())
}
