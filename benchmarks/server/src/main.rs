//! Measures the server against a stub model on loopback, and LiteLLM's proxy beside it.
//!
//! ```text
//! cargo build --release -p interactions-cli
//! cd benchmarks && cargo run --release -p bench-server -- [--million] [--litellm PATH] [--json]
//! ```
//!
//! `--million` copies an interaction a million times into the database, and measures again.
//! `--litellm` names the program of a LiteLLM proxy; its requests are those of our own rows.
//! Processor time is that of the server's process, as the kernel counts it.

mod connection;
mod million;
mod stub;
mod subject;
mod tasks;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::json;

use stub::Stub;
use subject::Subject;
use tasks::{
    Outcome, chain, creates, first_text, gets, read_again, readers, resume, say, through_the_log,
};

const CREATES: usize = 8_000;
const READERS: usize = 2_000;

/// The table, as it grows.
#[derive(Default)]
struct Rows(Vec<(String, f64, &'static str)>);

impl Rows {
    fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        let what = what.into();
        eprintln!("{what}: {value:.2} {unit}");
        self.0.push((what, value, unit));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let program = value("--server").map_or_else(our_program, PathBuf::from);
    rlimit::increase_nofile_limit(16_384)?;
    let stub = Stub::start().await?;
    let folder = tempfile::tempdir()?;
    let mut rows = Rows::default();
    ours(&mut rows, &program, folder.path(), &stub, flag("--million")).await?;
    if let Some(litellm) = value("--litellm") {
        beside(&mut rows, Path::new(&litellm), folder.path(), &stub).await?;
    }
    if flag("--json") {
        let rows: Vec<_> = rows
            .0
            .iter()
            .map(|(what, value, unit)| json!({"what": what, "value": value, "unit": unit}))
            .collect();
        println!("{}", json!(rows));
    } else {
        println!("| what | measured |\n|---|---|");
        for (what, value, unit) in &rows.0 {
            println!("| {what} | {value:.2} {unit} |");
        }
    }
    Ok(())
}

/// Where a release build of the workspace next door leaves it.
fn our_program() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| here.join("../../target"));
    target.join("release/interactions")
}

async fn ours(
    rows: &mut Rows,
    program: &Path,
    folder: &Path,
    stub: &Stub,
    million: bool,
) -> Outcome<()> {
    // The first start makes the database and its key.
    Subject::ours(program, folder, &stub.address).await?.end().await?;
    let subject = Subject::ours(program, folder, &stub.address).await?;
    rows.add("start, to the first answer", subject.start.as_secs_f64() * 1e3, "ms");
    rows.add("resident at rest", subject.resident() / 1024.0, "MiB");

    let path = "/v1/interactions";
    creates(&subject, path, say("say 20".into()), 200, 8).await?;
    let stored = creates(&subject, path, say("say 20".into()), CREATES, 8).await?;
    rows.add("stored create, processor time", stored.cpu, "ms");
    rows.add("stored creates over 8 connections", stored.per_second, "/s");
    let mut unstored = say("say 20".into());
    unstored["store"] = json!(false);
    let unstored = creates(&subject, path, unstored, CREATES, 8).await?;
    rows.add("create without storing, processor time", unstored.cpu, "ms");
    let alone = creates(&subject, path, say("say 20".into()), 1_000, 1).await?;
    rows.add("stored create over 1 connection, median", alone.latency.median, "ms");
    rows.add("stored create over 1 connection, p99", alone.latency.p99, "ms");
    let first = first_text(&subject, path, 500).await?;
    rows.add("first streamed text, median", first.median, "ms");
    rows.add("first streamed text, p99", first.p99, "ms");

    let (rate, long) = through_the_log(&subject, 100_000).await?;
    rows.add("events through the log", rate, "/s");
    rows.add("stored events read again", read_again(&subject, &long).await?, "/s");
    let (_, stream) = through_the_log(&subject, 2_000).await?;
    let latency = resume(&subject, &stream, 1_000).await?;
    rows.add("resume behind an event of 2,000, median", latency.median, "ms");
    rows.add("resume behind an event of 2,000, p99", latency.p99, "ms");
    let latency = resume(&subject, &long, 300).await?;
    rows.add("resume behind an event of 100,000, p99", latency.p99, "ms");

    let (memory, seconds) = readers(&subject, stub, READERS, 100).await?;
    rows.add("memory of each of 2,000 readers", memory, "KiB");
    rows.add("100 events to 2,000 readers", 2_000.0 * 100.0 / seconds, "events/s");

    let size = |folder: &Path| -> Outcome<f64> {
        let database = rusqlite::Connection::open(folder.join("interactions.db"))?;
        database.execute_batch("pragma wal_checkpoint(truncate)")?;
        Ok(std::fs::metadata(folder.join("interactions.db"))?.len() as f64)
    };
    let before = size(folder)?;
    let (took, cpu) = chain(&subject, 1_000).await?;
    let mean = |part: &[std::time::Duration]| {
        part.iter().map(std::time::Duration::as_secs_f64).sum::<f64>() / part.len() as f64 * 1e3
    };
    rows.add("chain: create at turns 1 to 100", mean(&took[..100]), "ms");
    rows.add("chain: create at turns 901 to 1,000", mean(&took[900..]), "ms");
    rows.add("chain: processor time at turns 1 to 100", (cpu[1] - cpu[0]) * 10.0, "ms");
    rows.add("chain: processor time at turns 901 to 1,000", (cpu[10] - cpu[9]) * 10.0, "ms");
    rows.add("chain: stored per turn", (size(folder)? - before) / 1000.0 / 1024.0, "KiB");

    if million {
        let mut connection = connection::Connection::open(&subject.address).await?;
        let made = connection.create(path, &say("say 20".into())).await?;
        let id = made["id"].as_str().ok_or("no id")?.to_owned();
        lists(rows, &subject, &id, "before").await?;
        subject.end().await?;
        million::grow(&folder.join("interactions.db"), &id, 1_000_000)?;
        let subject = Subject::ours(program, folder, &stub.address).await?;
        rows.add("with 1 M stored: start", subject.start.as_secs_f64() * 1e3, "ms");
        rows.add("with 1 M stored: resident at rest", subject.resident() / 1024.0, "MiB");
        creates(&subject, path, say("say 20".into()), 200, 8).await?;
        let stored = creates(&subject, path, say("say 20".into()), CREATES, 8).await?;
        rows.add("with 1 M stored: create, processor time", stored.cpu, "ms");
        let alone = creates(&subject, path, say("say 20".into()), 1_000, 1).await?;
        rows.add("with 1 M stored: create over 1 connection, median", alone.latency.median, "ms");
        lists(rows, &subject, &id, "with 1 M stored").await?;
        let latency = resume(&subject, &stream, 1_000).await?;
        rows.add("with 1 M stored: resume behind an event of 2,000, p99", latency.p99, "ms");
        subject.end().await?;
    } else {
        subject.end().await?;
    }
    Ok(())
}

async fn lists(rows: &mut Rows, subject: &Subject, id: &str, when: &str) -> Outcome<()> {
    for (what, path, count) in [
        ("get", format!("/v1/interactions/{id}"), 1_000),
        ("list, newest 20", "/v1/interactions?page_size=20".to_owned(), 200),
        ("list, a rare status", "/v1/interactions?status=failed&page_size=20".to_owned(), 20),
        ("list, a rare label", "/v1/interactions?label=rare:yes&page_size=20".to_owned(), 20),
        ("list, a common label", "/v1/interactions?label=team:a&page_size=20".to_owned(), 20),
    ] {
        let latency = gets(subject, &path, count).await?;
        rows.add(format!("{when}: {what}, median"), latency.median, "ms");
    }
    Ok(())
}

/// LiteLLM, asked the same as we were.
async fn beside(rows: &mut Rows, program: &Path, folder: &Path, stub: &Stub) -> Outcome<()> {
    let subject = Subject::litellm(program, folder, &stub.address).await?;
    rows.add("LiteLLM: start, to the first answer", subject.start.as_secs_f64() * 1e3, "ms");
    rows.add("LiteLLM: resident at rest", subject.resident() / 1024.0, "MiB");
    let path = "/v1beta/interactions";
    creates(&subject, path, say("say 20".into()), 16, 8).await?;
    let cost = creates(&subject, path, say("say 20".into()), 400, 8).await?;
    rows.add("LiteLLM: create (stores nothing), processor time", cost.cpu, "ms");
    rows.add("LiteLLM: creates over 8 connections", cost.per_second, "/s");
    let alone = creates(&subject, path, say("say 20".into()), 200, 1).await?;
    rows.add("LiteLLM: create over 1 connection, median", alone.latency.median, "ms");
    let first = first_text(&subject, path, 100).await?;
    rows.add("LiteLLM: first streamed text, median", first.median, "ms");
    let value = |what: &str| rows.0.iter().find(|row| row.0 == what).map_or(f64::NAN, |row| row.1);
    let ratio = value("LiteLLM: create (stores nothing), processor time")
        / value("stored create, processor time");
    rows.add("LiteLLM to ours: processor time of a create", ratio, "×");
    subject.end().await
}
