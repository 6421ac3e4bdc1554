//! Ten thousand requests that nobody should send: none breaks the server, none draws a secret out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::time::{Duration, Instant};

use harness::Harness;
use interactions_server::Config;
use interactions_testing::FIXTURES;
use interactions_transport::{Body, Transport};
use serde_json::{Map, Value, json};

/// A third of them stay right, so that more than ten thousand are wrong.
const REQUESTS: usize = 16_000;
/// How many of the seeds are requests that this server fulfils.
const RIGHT: usize = 6;
const SECRET: &str = "hush-hush-7f3a";

/// A small deterministic source of chance (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).unwrap()
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

fn odd(chance: &mut Chance) -> Value {
    match chance.below(15) {
        0 => json!(null),
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!(0.1),
        6 => json!(""),
        7 => json!("\u{0}\u{feff}\u{202e}"),
        8 => json!("x".repeat(5000)),
        9 => json!([]),
        10 => json!({}),
        11 => json!({"type": "no_such_type"}),
        12 => json!({"type": 7}),
        13 => json!([null, [], {}]),
        _ => (0..chance.below(200)).fold(json!(1), |inner, at| match at % 2 {
            0 => json!([inner]),
            _ => json!({"a": inner}),
        }),
    }
}

/// Changes one thing somewhere below the top of a value.
fn mutate(value: &mut Value, chance: &mut Chance, is_top: bool) {
    let goes_deeper = is_top || chance.below(4) > 0;
    match value {
        Value::Object(fields) if goes_deeper && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = chance.pick(&names).clone();
            match chance.below(8) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert(format!("{name}_"), odd(chance))),
                2 => {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(chance.pick(&names).clone(), moved);
                }
                _ => mutate(fields.get_mut(&name).unwrap(), chance, false),
            }
        }
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = chance.below(items.len());
            match chance.below(6) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                2 => items.insert(at, odd(chance)),
                _ => mutate(&mut items[at], chance, false),
            }
        }
        other => *other = odd(chance),
    }
}

/// Requests that are right, made from everything in the corpus.
fn seeds() -> Vec<Value> {
    let mut seeds = vec![
        json!({"model": "scripted", "input": "hi"}),
        json!({"model": "scripted", "input": [{"type": "user_input", "content": [{"type": "text", "text": "hi"}]}]}),
        json!({"model": "scripted", "input": "weather?", "generation_config": {"temperature": 0.5, "tool_choice": "auto"},
            "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]}),
        json!({"model": "scripted", "input": "x", "response_format": {"type": "text", "mime_type": "application/json",
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}),
        json!({"model": "scripted", "input": "x", "labels": {"a": "b"}, "system_instruction": "y", "service_tier": "flex"}),
        json!({"agent": "helper", "input": "x", "agent_config": {"type": "dynamic"}}),
    ];
    for fixture in FIXTURES {
        // Long ones take longer and have no more places to break.
        let text = Some(fixture.text).filter(|text| text.len() < 4000);
        let Some(Ok(value)) = text.map(serde_json::from_str::<Value>) else { continue };
        if value.get("input").is_some() {
            seeds.push(value.clone());
        }
        if let Some(steps) = value.get("steps").filter(|steps| steps.is_array()) {
            seeds.push(json!({"model": "scripted", "input": steps}));
        }
    }
    for seed in &mut seeds {
        let fields: &mut Map<String, Value> = seed.as_object_mut().unwrap();
        if fields.contains_key("model") {
            fields.insert("model".to_owned(), json!("scripted"));
        }
        fields.insert("store".to_owned(), json!(false));
        fields.remove("previous_interaction_id");
        fields.remove("background");
        let secret = json!({"type": "mcp_server", "name": "s", "url": "http://10.0.0.1/mcp",
            "headers": {"authorization": format!("Bearer {SECRET}")}});
        match fields.entry("tools").or_insert_with(|| json!([])) {
            Value::Array(tools) => tools.push(secret),
            other => *other = json!([secret]),
        }
    }
    seeds
}

#[tokio::test]
async fn ten_thousand_wrong_requests_are_answered_and_tell_nothing() {
    let mut config = Config::default();
    config.agents = vec![interactions_server::AgentConfig::new("helper", "scripted")];
    let server = Harness::with(config).await;
    let (seeds, mut chance) = (seeds(), Chance(0x9e37_79b9_7f4a_7c15));
    assert!(seeds.len() > 20, "{}", seeds.len());
    let ways = [
        ("POST", "/v1/interactions"),
        ("POST", "/v1/agents"),
        ("POST", "/v1/webhooks"),
        ("PATCH", "/v1/webhooks/w"),
    ];
    let ids = ["v1_x", "..", "%2e%2e%2f", "%00", "%ff", "a%2Fb", "x:cancel", "é", ""];
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..REQUESTS {
        // The first ones are right, so that what follows is reached too.
        let among = if chance.below(2) == 0 { &seeds[..RIGHT] } else { &seeds[..] };
        let mut body = chance.pick(among).clone();
        for _ in 0..chance.below(3) {
            mutate(&mut body, &mut chance, true);
        }
        // Nobody wants to wait for a model that was told to.
        let mut bytes = body.to_string().replace("wait ", "weit ").into_bytes();
        match chance.below(20) {
            0 => bytes.truncate(chance.below(bytes.len())),
            1 => {
                let at = chance.below(bytes.len());
                bytes[at] = u8::try_from(chance.below(256)).unwrap();
            }
            _ => {}
        }
        let (method, path) = match chance.below(12) {
            0 => (
                *chance.pick(&["GET", "DELETE", "POST"]),
                format!("/v1/interactions/{}", chance.pick(&ids)),
            ),
            1 => (
                "GET",
                format!(
                    "/v1/interactions?page_size={}&page_token={}&label=%22",
                    chance.below(3),
                    chance.pick(&ids)
                ),
            ),
            2 => {
                let (method, path) = chance.pick(&ways);
                (*method, (*path).to_owned())
            }
            _ => ("POST", "/v1/interactions".to_owned()),
        };
        let uri = format!("http://in-process{path}");
        let Ok(request) = http::Request::builder()
            .method(method)
            .uri(&uri)
            .header("content-type", *chance.pick(&["application/json", "text/plain", ""]))
            .body(Body::from(bytes.clone()))
        else {
            continue;
        };
        let begin = Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(20), async {
            let response = server.transport.send(request).await.unwrap();
            let status = response.status().as_u16();
            (status, response.into_body().collect(1 << 26).await.unwrap())
        });
        let what =
            || format!("request {number}: {method} {path} {}", String::from_utf8_lossy(&bytes));
        let (status, answer) = answer.await.unwrap_or_else(|_| panic!("no answer: {}", what()));
        assert!(status < 500, "{status}: {}\n{}", String::from_utf8_lossy(&answer), what());
        assert!(begin.elapsed() < Duration::from_secs(10), "slow: {}", what());
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(SECRET), "{answer}\n{}", what());
        *statuses.entry(status).or_default() += 1;
    }
    // Otherwise nothing but the front door was tested.
    assert!(statuses[&200] > 500 && statuses[&400] > 2000, "{statuses:?}");
    assert_eq!(server.raw("GET", "/readyz", "").await.0, 200);
}
