//! A run that pauses in one process and goes on in another.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-two-process-approval
//! ```
//!
//! The program starts itself twice: once to pause, where it is killed without warning, and once
//! to go on. Between the two there is only a sealed text in a file, and the server's database.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use interactions_agent::{Agent, Decisions, RunState, StateKey, ToolExt, tool_fn};
use interactions_client::Client;
use interactions_server::{Config, Server};
use interactions_transport::{SharedTransport, TowerTransport};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[derive(Deserialize, JsonSchema)]
struct Order {
    /// What is ordered.
    item: String,
}

/// Both processes have the same agent, on a server over the same database.
async fn agent(folder: &Path) -> Result<(Agent, Server), Box<dyn Error>> {
    let mut config = Config::default();
    config.data_dir = Some(folder.to_owned());
    let server = Server::builder(config).build().await?;
    let transport = SharedTransport::new(TowerTransport::new(server.router()));
    let client = Client::builder().base_url("http://in-process").transport(transport).build()?;
    let ledger = folder.join("orders.txt");
    let order = tool_fn("order_item", "Orders an item.", move |order: Order| {
        let ledger = ledger.clone();
        async move {
            let so_far = std::fs::read_to_string(&ledger).unwrap_or_default();
            std::fs::write(&ledger, format!("{so_far}{}\n", order.item))
                .map_err(|e| e.to_string())?;
            Ok::<_, String>(format!("ordered {}", order.item))
        }
    })
    .needs_approval();
    Ok((Agent::builder(client, "scripted").tool(order).build(), server))
}

/// A key of your own, from where your secrets are.
fn key() -> StateKey {
    StateKey::new(*b"an example is no place for a key")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("pause"), Some(folder)) => pause(&PathBuf::from(folder)).await,
        (Some("resume"), Some(folder)) => resume(&PathBuf::from(folder)).await,
        _ => both().await,
    }
}

async fn pause(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (agent, _server) = agent(folder).await?;
    let outcome = agent.run("Please order an item.").await?;
    let state = outcome.paused().ok_or("it did not pause")?;
    for call in state.pending() {
        println!("{} waits for approval", call.name);
    }
    std::fs::write(folder.join("run.json"), state.seal(&key()))?;
    println!("written down");
    // Nothing is closed in order: this process is killed here.
    std::future::pending().await
}

async fn resume(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (agent, server) = agent(folder).await?;
    let state = RunState::open(&key(), &std::fs::read_to_string(folder.join("run.json"))?)?;
    let decisions =
        state.pending().into_iter().fold(Decisions::new(), |all, call| all.approve(call.id));
    let outcome = agent.resume(state, decisions).finish().await?;
    println!("{}", outcome.output_text());
    server.close().await;
    Ok(())
}

async fn both() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("interactions-pause-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let this = std::env::current_exe()?;
    let mut first = Command::new(&this)
        .arg("pause")
        .arg(&folder)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(first.stdout.take().ok_or("no output")?).lines();
    while let Some(line) = lines.next_line().await? {
        println!("first process: {line}");
        if line == "written down" {
            break;
        }
    }
    first.kill().await?;
    println!("first process: killed");
    let second = Command::new(&this).arg("resume").arg(&folder).output().await?;
    print!("second process: {}", String::from_utf8_lossy(&second.stdout));
    let orders = std::fs::read_to_string(folder.join("orders.txt"))?;
    assert_eq!(orders.lines().count(), 1, "ordered once");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
