//! Runs every client against one loopback server, in turns, and prints one table.
//!
//! ```text
//! cd benchmarks && cargo build --release --workspace && cargo run --release -p bench [-- --json]
//! ```
//!
//! `--serve` only starts the server and says where, for one client under a profiler.
//!
//! Absolute numbers belong to the machine; compare the ratios to the floor, which come from the
//! same run. The floor is hand-written: it looks for lines, peeks at tags, reads a few typed fields.
//! Below it is `bare`, which trusts the names of the frames and keeps nothing it does not look for.
//!
//! Unary calls are made with client and server on one core, where `taskset` is there to say so:
//! on two, what is measured is how long the idle core takes to wake.

mod server;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const CLIENTS: [&str; 5] = ["floor", "bare", "ours", "genai-rs", "gemini-rust"];
const ROUNDS: usize = 5;
const EVENTS: usize = 200_000;
const CALLS: usize = 3_000;

/// What is measured: the name, the path on the server, how often, and what a run means.
const TASKS: [(&str, &str, usize, &str); 3] = [
    ("24-byte text deltas, million events/s", "stream", EVENTS, "stream"),
    ("one 8 MiB image delta, ms", "image", 1, "stream"),
    ("unary call, µs", "unary", CALLS, "unary"),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let address = server::start().await?;
    if std::env::args().any(|argument| argument == "--serve") {
        println!("http://{address}");
        return Ok(std::future::pending().await);
    }
    let base = format!("http://{address}");
    let pinned = Pinned::start().await;
    if pinned.is_none() {
        eprintln!("no `taskset`: unary calls are measured with the waking of idle cores");
    }
    let programs = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut measured: BTreeMap<(usize, &str), Vec<f64>> = BTreeMap::new();
    let mut memory: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut failed: BTreeMap<(usize, &str), String> = BTreeMap::new();
    for round in 0..ROUNDS {
        for (task, (name, path, count, mode)) in TASKS.iter().enumerate() {
            for client in CLIENTS {
                eprint!("\rround {} of {ROUNDS}: {name} by {client}          ", round + 1);
                let program = programs.join(format!("client-{client}"));
                let (command, base) = match &pinned {
                    Some(pinned) if *mode == "unary" => (on_one_core(&program), &pinned.base),
                    _ => (Command::new(program), &base),
                };
                let url = format!("{base}/{path}/{count}");
                match run(command, &[mode, &url, &count.to_string()]).await {
                    Ok(result) => {
                        let seconds = result["seconds"].as_f64().unwrap_or(f64::NAN);
                        let value = match task {
                            0 => *count as f64 / seconds / 1e6,
                            1 => seconds * 1e3,
                            _ => seconds / *count as f64 * 1e6,
                        };
                        measured.entry((task, client)).or_default().push(value);
                        if task == 0 {
                            let kib = result["peak_kib"].as_f64().unwrap_or(f64::NAN);
                            memory.entry(client).or_default().push(kib / 1024.0);
                        }
                    }
                    Err(why) => {
                        failed.insert((task, client), why.to_string());
                    }
                }
            }
        }
    }
    eprintln!();
    let mut rows: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    for (task, (name, ..)) in TASKS.iter().enumerate() {
        let cells = CLIENTS.map(|client| measured.get(&(task, client)).map(|all| median(all)));
        rows.push(((*name).to_owned(), cells.to_vec()));
    }
    let cells = CLIENTS.map(|client| memory.get(client).map(|all| median(all)));
    rows.push(("peak memory of that stream, MiB".to_owned(), cells.to_vec()));
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(name, cells)| {
                let cells: serde_json::Map<_, _> =
                    CLIENTS.iter().zip(cells).map(|(c, v)| ((*c).to_owned(), json!(v))).collect();
                json!({"what": name, "medians": cells})
            })
            .collect();
        println!("{}", json!({"rounds": ROUNDS, "rows": rows}));
    } else {
        print(&rows);
    }
    for ((task, client), why) in failed {
        println!("{client} fails at {}: {why}", TASKS[task].0);
    }
    Ok(())
}

fn print(rows: &[(String, Vec<Option<f64>>)]) {
    println!("| median of {ROUNDS} rounds | {} |", CLIENTS.join(" | "));
    println!("|---|{}", "---|".repeat(CLIENTS.len()));
    for (name, cells) in rows {
        let floor = cells[0];
        let shown: Vec<String> = cells
            .iter()
            .map(|cell| match (cell, floor) {
                (Some(value), Some(floor)) => format!("{value:.2} ({:.2}×)", value / floor),
                (Some(value), None) => format!("{value:.2}"),
                (None, _) => "fails".to_owned(),
            })
            .collect();
        println!("| {name} | {} |", shown.join(" | "));
    }
}

/// A server of its own, on the core that the clients of unary calls will share with it.
struct Pinned {
    base: String,
    _server: Child,
}

impl Pinned {
    async fn start() -> Option<Self> {
        let mut server = on_one_core(&std::env::current_exe().ok()?)
            .arg("--serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut base = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut base).await.ok()?;
        let base = base.trim_end().to_owned();
        (!base.is_empty()).then_some(Self { base, _server: server })
    }
}

fn on_one_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).arg(program);
    command
}

async fn run(mut command: Command, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let output = command.args(arguments).output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(text.lines().last().unwrap_or("it says nothing").to_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
