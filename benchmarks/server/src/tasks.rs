//! What is done with a server, each thing once.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::stub::Stub;
use crate::subject::Subject;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// What a number of like requests cost.
pub struct Cost {
    /// Milliseconds of processor time of the server, each.
    pub cpu: f64,
    pub per_second: f64,
    pub latency: Latency,
}

/// Milliseconds.
pub struct Latency {
    pub median: f64,
    pub p99: f64,
}

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |share: f64| {
            let place = ((all.len() as f64 - 1.0) * share).round() as usize;
            all.get(place).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
        };
        Self { median: at(0.5), p99: at(0.99) }
    }
}

pub fn say(prompt: String) -> Value {
    json!({"model": "m", "input": prompt})
}

/// `count` creates over `connections` connections.
pub async fn creates(
    subject: &Subject,
    path: &'static str,
    body: Value,
    count: usize,
    connections: usize,
) -> Outcome<Cost> {
    let body = Arc::new(body);
    let (cpu, began) = (subject.cpu(), Instant::now());
    let mut set = JoinSet::new();
    for _ in 0..connections {
        let (address, body) = (subject.address.clone(), Arc::clone(&body));
        set.spawn(async move {
            let work = async {
                let mut connection = Connection::open(&address).await?;
                let mut took = Vec::new();
                for _ in 0..count / connections {
                    let began = Instant::now();
                    let answer = connection.create(path, &body).await?;
                    took.push(began.elapsed());
                    if answer["status"] != "completed" {
                        return Err(format!("not completed: {answer}").into());
                    }
                }
                Ok::<_, Box<dyn Error>>(took)
            };
            work.await.map_err(|error| error.to_string())
        });
    }
    let mut all = Vec::new();
    while let Some(took) = set.join_next().await {
        all.extend(took??);
    }
    let made = all.len() as f64;
    let wall = began.elapsed().as_secs_f64();
    Ok(Cost {
        cpu: (subject.cpu() - cpu) / made * 1e3,
        per_second: made / wall,
        latency: Latency::of(all),
    })
}

/// From a streamed request to the first text, one request after the other.
pub async fn first_text(subject: &Subject, path: &str, count: usize) -> Outcome<Latency> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut body = say("say 1".to_owned());
    body["stream"] = json!(true);
    let mut all = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        let mut events = connection.stream(path, Some(&body)).await?;
        events.until("step.delta").await?;
        all.push(began.elapsed());
        events.rest().await?;
    }
    Ok(Latency::of(all))
}

/// Events per second from the model through the log to the caller, and the interaction's id.
pub async fn through_the_log(subject: &Subject, deltas: usize) -> Outcome<(f64, String)> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut body = say(format!("say {deltas}"));
    body["stream"] = json!(true);
    let began = Instant::now();
    let text = connection.stream("/v1/interactions", Some(&body)).await?.rest().await?;
    let seconds = began.elapsed().as_secs_f64();
    let events = text.matches("\nevent: ").count();
    if events < deltas || !text.contains("interaction.completed") {
        return Err(format!("{events} events of {deltas} deltas came").into());
    }
    Ok((events as f64 / seconds, first_id(&text)?))
}

/// Events per second of a stored stream that is read again.
pub async fn read_again(subject: &Subject, id: &str) -> Outcome<f64> {
    let mut connection = Connection::open(&subject.address).await?;
    let began = Instant::now();
    let path = format!("/v1/interactions/{id}?stream=true");
    let text = connection.stream(&path, None).await?.rest().await?;
    Ok(text.matches("\nevent: ").count() as f64 / began.elapsed().as_secs_f64())
}

/// From a request to go on behind an event, to the event after it.
pub async fn resume(subject: &Subject, id: &str, count: usize) -> Outcome<Latency> {
    let mut connection = Connection::open(&subject.address).await?;
    let path = format!("/v1/interactions/{id}?stream=true");
    let text = connection.stream(&path, None).await?.rest().await?;
    let ids: Vec<&str> =
        text.split("\"event_id\":\"").skip(1).filter_map(|t| t.split('"').next()).collect();
    if ids.len() < 100 {
        return Err("a longer stream was expected".into());
    }
    let mut all = Vec::new();
    for number in 0..count {
        // Everywhere in the stream; the last events are left out, for something has to follow.
        let id = ids[number * (ids.len() - 10) / count];
        let path = format!("{path}&last_event_id={id}");
        let mut connection = Connection::open(&subject.address).await?;
        let began = Instant::now();
        let mut events = connection.stream(&path, None).await?;
        events.until("event_id").await?;
        all.push(began.elapsed());
    }
    Ok(Latency::of(all))
}

/// One `GET` after the other.
pub async fn gets(subject: &Subject, path: &str, count: usize) -> Outcome<Latency> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut all = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        connection.get(path).await?;
        all.push(began.elapsed());
    }
    Ok(Latency::of(all))
}

/// Readers of one running stream: KiB of the server for each, and the seconds from the moment at
/// which the model went on until all of them had the end.
pub async fn readers(
    subject: &Subject,
    stub: &Stub,
    count: usize,
    deltas: usize,
) -> Outcome<(f64, f64)> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut body = say(format!("wait {deltas}"));
    body["background"] = json!(true);
    let made = connection.create("/v1/interactions", &body).await?;
    let id = made["id"].as_str().ok_or_else(|| format!("no id in {made}"))?.to_owned();
    let before = subject.resident();
    let mut attached = Vec::new();
    for _ in 0..count {
        let mut connection = Connection::open(&subject.address).await?;
        let path = format!("/v1/interactions/{id}?stream=true");
        let mut events = connection.stream(&path, None).await?;
        events.until("step.delta").await?;
        attached.push((connection, events));
    }
    let each = (subject.resident() - before) / count as f64;
    let began = Instant::now();
    stub.release();
    let mut set = JoinSet::new();
    for (connection, events) in attached {
        set.spawn(async move {
            let text = events.rest().await.map_err(|error| error.to_string())?;
            drop(connection);
            Ok::<_, String>((
                text.matches("step.delta\n").count(),
                text.contains("interaction.completed"),
            ))
        });
    }
    while let Some(read) = set.join_next().await {
        let (seen, complete) = read??;
        if !complete || seen != deltas {
            return Err(format!("a reader saw {seen} of {deltas} deltas").into());
        }
    }
    stub.hold();
    Ok((each, began.elapsed().as_secs_f64()))
}

/// A conversation, turn by turn: the time of each create.
pub async fn chain(subject: &Subject, turns: usize) -> Outcome<(Vec<Duration>, Vec<f64>)> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut body = say("say 3".to_owned());
    let (mut took, mut cpu) = (Vec::new(), vec![subject.cpu()]);
    for turn in 1..=turns {
        let began = Instant::now();
        let made = connection.create("/v1/interactions", &body).await?;
        took.push(began.elapsed());
        if made["status"] != "completed" {
            return Err(format!("turn {turn}: {made}").into());
        }
        body["previous_interaction_id"] = made["id"].clone();
        if turn % 100 == 0 {
            cpu.push(subject.cpu());
        }
    }
    Ok((took, cpu))
}

fn first_id(text: &str) -> Outcome<String> {
    let after = text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(after.ok_or("no id in the stream")?.to_owned())
}
