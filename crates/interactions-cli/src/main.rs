//! The `interactions` command: serve the API, run an agent, look at what is stored.

mod approvals;
mod attachment;
mod commands;
mod data_dir;
mod failure;
mod live_run;
mod models;
mod output;
mod paint;
mod place;
mod steps;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{a2a, agent, backup, keys, remote, serve};

/// The Interactions API at both ends of the wire.
#[derive(Debug, Parser)]
#[command(name = "interactions", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, for any model, with history in a database.
    Serve(serve::Serve),
    /// Ask an agent that may use tools; by default with a server of its own.
    Agent(agent::Agent),
    /// Agent2Agent: put agents on the A2A network.
    A2a(a2a::A2a),
    /// Show a stored interaction.
    Get(remote::Get),
    /// Follow an interaction from its beginning to its end.
    Watch(remote::Watch),
    /// Stop a running interaction.
    Cancel(remote::Cancel),
    /// Erase a stored interaction.
    Delete(remote::Delete),
    /// List stored interactions, newest first.
    List(remote::List),
    /// Make, list and revoke the keys that callers prove themselves with.
    Keys(keys::Keys),
    /// Copy the database into a new file while servers go on using it.
    Backup(backup::Backup),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Agent(agent) => agent.run().await,
        Command::A2a(a2a) => a2a.run().await,
        Command::Get(get) => get.run().await,
        Command::Watch(watch) => watch.run().await,
        Command::Cancel(cancel) => cancel.run().await,
        Command::Delete(delete) => delete.run().await,
        Command::List(list) => list.run().await,
        Command::Keys(keys) => keys.run().await,
        Command::Backup(backup) => backup.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
