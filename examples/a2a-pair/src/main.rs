//! An agent on the A2A network, and another one that calls it.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-a2a-pair
//! ```
//!
//! or let the caller ask an agent that is somewhere else, and answer what it asks:
//!
//! ```text
//! cargo run -p example-a2a-pair -- --agent http://127.0.0.1:4000 --ask "Which city?" --answer Rome
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::time::Duration;

use futures::StreamExt;
use interactions_a2a::{A2aHost, A2aTool, Card, CardVerifier, HostedAgent, InteractionsExecutor};
use interactions_agent::{Agent, Decisions, Need, Outcome, RunEvent, RunStream, Tool};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn};
use interactions_types::{CreateInteraction, Function, Step};
use serde_json::{Value, json};

/// A model that says what its script says; with `Client::from_env()` it would be a real one.
fn scripted(turns: impl IntoIterator<Item = ScriptedTurn>) -> Result<Client, Box<dyn Error>> {
    Ok(Client::builder().transport(ScriptedModel::new(turns).transport()).build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wishes = Wishes::read(std::env::args().skip(1))?;
    match wishes.agent.clone() {
        Some(agent) => {
            call(&agent, &wishes).await?;
            if wishes.time_limit.is_some() {
                // A task that took too long is cancelled beside the run.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        None => both(wishes).await,
    }
}

/// What the command line says.
struct Wishes {
    agent: Option<String>,
    ask: String,
    answer: String,
    key: Option<String>,
    /// The name of the tool, where the agent has several.
    skill: Option<String>,
    /// A JSON Web Key Set with the keys that are trusted to sign cards.
    jwks: Option<Value>,
    time_limit: Option<Duration>,
}

impl Wishes {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut wishes = Self {
            agent: None,
            ask: "The weather, please.".to_owned(),
            answer: "Rome".to_owned(),
            key: None,
            skill: None,
            jwks: None,
            time_limit: None,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} wants a value"))?;
            match flag.as_str() {
                "--agent" => wishes.agent = Some(value),
                "--ask" => wishes.ask = value,
                "--answer" => wishes.answer = value,
                "--key" => wishes.key = Some(value),
                "--skill" => wishes.skill = Some(value),
                "--jwks" => wishes.jwks = Some(serde_json::from_str(&value)?),
                "--time-limit" => wishes.time_limit = Some(Duration::from_secs(value.parse()?)),
                _ => return Err(format!("there is no {flag}: see the top of main.rs").into()),
            }
        }
        Ok(wishes)
    }
}

/// Hosts an agent on a free port of this machine, and calls it.
async fn both(wishes: Wishes) -> Result<(), Box<dyn Error>> {
    // The far agent has a function that nobody at its endpoint carries out: it asks its caller.
    let client = scripted([
        ScriptedTurn::call("q1", "ask_human", json!({"question": "For which city?"})),
        ScriptedTurn::text("Rain in Rome."),
    ])?;
    let ask = Function::new("ask_human").description("Asks the person.");
    let request = CreateInteraction::new("any-model", "").tools(vec![ask.into()]);
    let executor = InteractionsExecutor::with_request(client, request);
    let hosted = HostedAgent::new(Card::new("Forecaster", "Knows the weather."), executor);
    let (host, listener) = A2aHost::with_agent("forecaster", hosted).bind("127.0.0.1:0").await?;
    let address = host.base_url().to_owned();
    println!("host: the forecaster is at {address}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        host.serve(listener, stopped).await
    });

    let outcome = call(&address, &wishes).await?;
    assert!(said(&outcome).iter().any(|text| text.starts_with("Rain in Rome.")), "{outcome:?}");
    drop(stop);
    serving.await??;
    Ok(())
}

/// Runs an agent that has a remote one as its tool, and says what happens.
async fn call(address: &str, wishes: &Wishes) -> Result<Outcome, Box<dyn Error>> {
    let mut tool = A2aTool::from_card(address);
    // Agents on this machine have to be allowed.
    if let Some(authority) = address.strip_prefix("http://") {
        tool = tool.allow(authority.trim_end_matches('/'));
    }
    if let Some(key) = &wishes.key {
        tool = tool.bearer(key);
    }
    if let Some(jwks) = &wishes.jwks {
        tool = tool.verify(CardVerifier::new(jwks)?);
    }
    if let Some(limit) = wishes.time_limit {
        tool = tool.time_limit(limit);
    }
    let tool = tool.build()?;
    let names: Vec<String> =
        tool.skills().await?.iter().map(|skill| skill.declaration().name).collect();
    println!("caller: the agent has {}", names.join(", "));
    let name = wishes.skill.as_ref().or(names.first()).ok_or("the agent has no skills")?;

    // A script instead of a model: it asks the agent, and then is done.
    let client = scripted([
        ScriptedTurn::call("c1", name, json!({"message": wishes.ask})),
        ScriptedTurn::text("Take an umbrella."),
    ])?;
    let agent = Agent::builder(client, "any-model").toolset(tool).build();
    let mut outcome = watch(agent.stream(wishes.ask.clone())).await?;
    while let Some(state) = outcome.paused().cloned() {
        let mut decisions = Decisions::new();
        for call in state.pending() {
            let Need::Input { message, .. } = &call.need else { continue };
            println!("caller: paused, {message}");
            println!("person: {}", wishes.answer);
            decisions = decisions.answer(call.id, wishes.answer.as_str());
        }
        outcome = watch(agent.resume(state, decisions)).await?;
    }
    for text in said(&outcome) {
        println!("agent: {}", text.lines().next().unwrap_or_default());
    }
    println!("caller: {}", outcome.output_text());
    Ok(outcome)
}

/// Prints what the remote agent tells on the way.
async fn watch(mut run: RunStream) -> Result<Outcome, Box<dyn Error>> {
    while let Some(event) = run.next().await {
        match event? {
            RunEvent::ToolProgress { progress, .. } => {
                let part = |name: &str| progress[name].as_str().unwrap_or_default().to_owned();
                println!("progress: {} {}", part("state"), part("text"));
            }
            RunEvent::Finished(outcome) => return Ok(*outcome),
            _ => {}
        }
    }
    Err("the run ended without an outcome".into())
}

/// What the remote agent has answered.
fn said(outcome: &Outcome) -> Vec<String> {
    let text = |step: &Step| match step {
        Step::FunctionResult(result) => Some(result.result.to_text()),
        _ => None,
    };
    outcome.steps.iter().filter_map(text).collect()
}
