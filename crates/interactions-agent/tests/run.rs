//! The loop against scripted services: what is sent, what is told, what happens when things go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use interactions_agent::{Agent, AgentBuilder, AgentError, Limit, RunEvent, tool_fn};
use interactions_client::Client;
use interactions_testing::{Capture, Reply, capture, transcript};
use interactions_types::{GenerationConfig, Status, Step, ToolChoiceMode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// A turn of the service: steps that come whole, then an ending.
fn turn(id: &str, status: &str, steps: &[Value]) -> Reply {
    let mut events = vec![
        json!({"event_type": "interaction.created", "interaction": {"id": id, "status": "in_progress", "model": "m"}}),
    ];
    for (index, step) in steps.iter().enumerate() {
        events.push(json!({"event_type": "step.start", "index": index, "step": step}));
        events.push(json!({"event_type": "step.stop", "index": index}));
    }
    let usage = json!({"total_tokens": 10});
    events.push(json!({"event_type": "interaction.completed", "interaction": {"id": id, "status": status, "usage": usage}}));
    Reply::sse(transcript(&events))
}

fn call(id: &str, name: &str, arguments: Value) -> Value {
    let mut call = json!({"type": "function_call", "id": id, "name": name});
    call["arguments"] = arguments;
    call
}

fn say(text: &str) -> Value {
    json!({"type": "model_output", "content": [{"type": "text", "text": text}]})
}

fn agent(service: &Capture) -> AgentBuilder {
    Agent::builder(Client::builder().transport(service.transport()).build().expect("a client"), "m")
}

fn sleepy(name: &str, running: &Arc<AtomicUsize>) -> impl interactions_agent::Tool + use<> {
    let running = Arc::clone(running);
    tool_fn(name, "Sleeps.", move |number: Number| {
        let running = Arc::clone(&running);
        async move {
            struct Leaving(Arc<AtomicUsize>);
            impl Drop for Leaving {
                fn drop(&mut self) {
                    self.0.fetch_sub(1, Ordering::SeqCst);
                }
            }
            running.fetch_add(1, Ordering::SeqCst);
            let _leaving = Leaving(running);
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, String>(number.n)
        }
    })
}

#[tokio::test]
async fn calls_are_answered_in_one_interaction_that_continues_the_first() {
    let service = capture([
        turn(
            "v1_a",
            "requires_action",
            &[
                call("1", "double", json!({"n": 4})),
                call("2", "default_api:double", json!({"n": 5})),
            ],
        ),
        turn("v1_b", "completed", &[say("8 and 10")]),
    ]);
    let double =
        tool_fn(
            "double",
            "Doubles.",
            |number: Number| async move { Ok::<_, String>(number.n * 2) },
        );
    let agent = agent(&service).system_instruction("be exact").tool(double).build();
    let outcome = agent.run("Double 4 and 5.").await.unwrap();
    assert_eq!(
        (outcome.output_text().as_str(), outcome.turns, outcome.usage.total_tokens),
        ("8 and 10", 2, Some(20))
    );
    assert_eq!(outcome.steps.len(), 6, "input, two calls, two results, answer");

    let requests = service.requests();
    let [first, second] = [requests[0].json(), requests[1].json()];
    assert_eq!(first["tools"][0]["name"], "double");
    assert_eq!(second["previous_interaction_id"], "v1_a");
    assert_eq!(second["system_instruction"], "be exact", "instructions are not inherited");
    assert_eq!(
        second["input"],
        json!([
            {"type": "function_result", "call_id": "1", "result": "8", "name": "double"},
            {"type": "function_result", "call_id": "2", "result": "10", "name": "default_api:double"},
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn tools_run_side_by_side_within_the_cap() {
    for (cap, expected) in [(8, 100), (2, 200)] {
        let calls: Vec<Value> =
            (0..4).map(|n| call(&n.to_string(), "sleep", json!({"n": n}))).collect();
        let service = capture([
            turn("v1_a", "requires_action", &calls),
            turn("v1_b", "completed", &[say("ok")]),
        ]);
        let agent =
            agent(&service).tool(sleepy("sleep", &Arc::default())).max_parallel_tools(cap).build();
        let began = tokio::time::Instant::now();
        agent.run("go").await.unwrap();
        assert_eq!(began.elapsed().as_millis(), expected, "cap {cap}");
        let ids: Vec<_> = service.requests()[1].json()["input"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["call_id"].clone())
            .collect();
        assert_eq!(ids, ["0", "1", "2", "3"], "results keep the order of the calls");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_in_a_tool_is_told_to_the_model() {
    let service = capture([
        turn(
            "v1_a",
            "requires_action",
            &[
                call("1", "nothing_like_it", json!({})),
                call("2", "double", json!({"n": "four"})),
                call("3", "panics", json!({"n": 1})),
                call("4", "slow", json!({"n": 1})),
                call("5", "fails", json!({"n": 1})),
            ],
        ),
        turn("v1_b", "completed", &[say("sorry")]),
    ]);
    let agent = agent(&service)
        .tool(tool_fn("double", "", |number: Number| async move { Ok::<_, String>(number.n * 2) }))
        .tool(tool_fn("panics", "", |number: Number| async move {
            assert!(number.n > 1, "too small");
            Ok::<_, String>(())
        }))
        .tool(tool_fn("slow", "", |_: Number| async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok::<_, String>(())
        }))
        .tool(tool_fn("fails", "", |_: Number| async move { Err::<(), _>("out of paper") }))
        .tool_timeout(Duration::from_secs(5))
        .build();
    assert_eq!(agent.run("go").await.unwrap().output_text(), "sorry");
    let input = service.requests()[1].json()["input"].clone();
    for (result, words) in input.as_array().unwrap().iter().zip([
        "there is no tool",
        "`n`",
        "crashed",
        "longer than",
        "out of paper",
    ]) {
        assert_eq!(result["is_error"], true, "{result}");
        assert!(result["result"].as_str().unwrap().contains(words), "{result}");
    }
}

#[tokio::test]
async fn without_storage_the_whole_history_is_sent_as_it_came() {
    let thought = json!({"type": "thought", "signature": "c2ln", "mood": {"deep": [1.0, 2]}});
    let service = capture([
        turn("", "requires_action", &[thought.clone(), call("1", "double", json!({"n": 2}))]),
        turn("", "completed", &[say("4")]),
    ]);
    let double =
        tool_fn("double", "", |number: Number| async move { Ok::<_, String>(number.n * 2) });
    agent(&service).tool(double).store(false).build().run("Double 2.").await.unwrap();
    let second = service.requests()[1].json();
    assert_eq!(second["store"], false);
    assert!(second.get("previous_interaction_id").is_none());
    let kinds: Vec<_> =
        second["input"].as_array().unwrap().iter().map(|step| step["type"].clone()).collect();
    assert_eq!(kinds, ["user_input", "thought", "function_call", "function_result"]);
    assert_eq!(second["input"][1], thought);
}

#[tokio::test]
async fn the_turn_limit_keeps_what_was_reached() {
    let again = |id: &str| turn(id, "requires_action", &[call(id, "double", json!({"n": 1}))]);
    let service = capture([again("v1_a"), again("v1_b"), again("v1_c")]);
    let double =
        tool_fn("double", "", |number: Number| async move { Ok::<_, String>(number.n * 2) });
    let error = agent(&service).tool(double).max_turns(2).build().run("go").await.unwrap_err();
    assert!(
        matches!(error.limit(), Some(Limit::Turns(_))) && error.to_string().contains("2 turns"),
        "{error}"
    );
    assert_eq!(error.outcome().interaction.id.as_str(), "v1_b");
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn failures_of_the_service_are_typed_and_carry_the_rest() {
    let failed = turn("v1_a", "failed", &[say("half")]);
    let error = agent(&capture([failed])).build().run("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Failed(_)));
    assert_eq!(error.outcome().output_text(), "half");

    let cut = turn("v1_a", "completed", &[say("half of it")]).cut_after(330);
    let error = agent(&capture([cut])).build().run("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Client { .. }), "{error}");
    assert_eq!(error.outcome().interaction.id.as_str(), "v1_a");

    let refused = Reply::error(404, "model_not_found", "there is no model `m`");
    let error = agent(&capture([refused])).build().run("go").await.unwrap_err();
    assert!(error.to_string().contains("model_not_found"), "{error}");
}

#[tokio::test]
async fn an_action_that_asks_for_nothing_ends_the_run() {
    let answered = json!({"type": "function_result", "call_id": "1", "result": "done there"});
    let service = capture([turn(
        "v1_a",
        "requires_action",
        &[call("1", "server:tool", json!({})), answered],
    )]);
    let outcome = agent(&service).build().run("go").await.unwrap();
    assert_eq!(outcome.interaction.status, Status::RequiresAction);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_run_stops_its_tools() {
    let running = Arc::new(AtomicUsize::new(0));
    let calls = [call("1", "sleep", json!({"n": 1})), call("2", "sleep", json!({"n": 2}))];
    let service = capture([turn("v1_a", "requires_action", &calls)]);
    let agent = agent(&service).tool(sleepy("sleep", &running)).build();
    let mut run = agent.stream("go");
    let waiting = async {
        while let Some(event) = run.next().await {
            event.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    assert_eq!(running.load(Ordering::SeqCst), 2);
    drop(run);
    assert_eq!(running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn events_tell_the_run_in_order() {
    let service = capture([
        turn("v1_a", "requires_action", &[call("1", "double", json!({"n": 4}))]),
        turn("v1_b", "completed", &[say("8")]),
    ]);
    let double =
        tool_fn("double", "", |number: Number| async move { Ok::<_, String>(number.n * 2) });
    let events: Vec<RunEvent> =
        agent(&service).tool(double).build().stream("go").map(Result::unwrap).collect().await;
    let told: Vec<Value> =
        events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let kinds: Vec<_> = told.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "turn_started",
            "created",
            "call_started",
            "turn_finished",
            "usage",
            "call_ready",
            "tool_finished",
            "turn_started",
            "created",
            "text",
            "turn_finished",
            "usage",
            "finished"
        ]
    );
    assert_eq!((&told[6]["output"], &told[6]["is_error"]), (&json!("8"), &json!(false)));
    assert!(
        matches!(events.last(), Some(RunEvent::Finished(outcome)) if outcome.steps[0] == Step::user_text("go"))
    );
}

fn events(events: &[Value]) -> Reply {
    Reply::sse(transcript(events))
}

/// What of it no helper above can say: its own status, a token, an error.
fn shell(event: &str, interaction: Value) -> Value {
    let mut whole = json!({"event_type": event});
    whole["interaction"] = interaction;
    whole
}

#[tokio::test]
async fn arguments_that_cannot_be_read_run_nothing() {
    let delta = |text: &str| json!({"event_type": "step.delta", "index": 0, "delta": {"type": "arguments_delta", "arguments": text}});
    let service = capture([
        events(&[
            shell("interaction.created", json!({"id": "v1_a", "status": "in_progress"})),
            json!({"event_type": "step.start", "index": 0,
                "step": {"type": "function_call", "id": "1", "name": "wipe", "arguments": {}}}),
            delta(r#"{"only": "#),
            delta("tmp"),
            json!({"event_type": "step.stop", "index": 0}),
            shell("interaction.completed", json!({"id": "v1_a", "status": "requires_action"})),
        ]),
        turn("v1_b", "completed", &[say("sorry")]),
    ]);
    #[derive(Deserialize, JsonSchema)]
    struct Everything {}
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let wipe = tool_fn("wipe", "", move |_: Everything| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, String>(()) }
    });
    agent(&service).tool(wipe).build().run("go").await.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    let result = &service.requests()[1].json()["input"][0];
    assert_eq!(result["is_error"], true);
    assert!(result["result"].as_str().unwrap().contains("not a JSON object"), "{result}");
}

#[tokio::test]
async fn tools_of_the_last_turn_do_not_run() {
    let service =
        capture([turn("v1_a", "requires_action", &[call("1", "count", json!({"n": 1}))])]);
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let count = tool_fn("count", "", move |number: Number| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(number.n) }
    });
    let error = agent(&service).tool(count).max_turns(0).build().run("go").await.unwrap_err();
    assert!(matches!(error.limit(), Some(Limit::Turns(_))), "{error}");
    assert_eq!((error.outcome().turns, ran.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_run_that_fails_by_an_error_event_has_failed() {
    let service = capture([events(&[
        shell("interaction.created", json!({"id": "v1_a", "status": "in_progress"})),
        json!({"event_type": "error", "error": {"code": "api_error", "message": "overheated"}}),
        shell(
            "interaction.completed",
            json!({"id": "v1_a", "status": "failed", "usage": {"total_tokens": 3}}),
        ),
    ])]);
    let error = agent(&service).build().run("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Failed(_)), "{error:?}");
    assert!(error.to_string().contains("overheated"), "{error}");
    assert_eq!(error.outcome().usage.total_tokens, Some(3));
}

#[tokio::test]
async fn an_answer_in_two_hops_is_one_answer() {
    let begun = json!({"id": "v1_a", "status": "requires_continuation", "continuation_token": "t", "usage": {"total_tokens": 3}});
    let part = |text: &str| json!({"event_type": "step.start", "index": 0, "step": say(text)});
    let service = capture([
        events(&[
            shell("interaction.created", json!({"id": "v1_a", "status": "in_progress"})),
            part("one "),
            shell("interaction.completed", begun),
        ]),
        events(&[
            shell("interaction.created", json!({"id": "v1_b", "status": "in_progress"})),
            part("two"),
            shell(
                "interaction.completed",
                json!({"id": "v1_b", "status": "completed", "usage": {"total_tokens": 4}}),
            ),
        ]),
    ]);
    let outcome = agent(&service).build().run("go").await.unwrap();
    assert_eq!((outcome.output_text().as_str(), outcome.turns), ("one two", 1));
    assert_eq!(outcome.usage.total_tokens, Some(7));
    assert_eq!(outcome.interaction.id.as_str(), "v1_b");
}

#[tokio::test]
async fn a_forced_choice_holds_for_one_turn() {
    let service = capture([
        turn("v1_a", "requires_action", &[call("1", "double", json!({"n": 4}))]),
        turn("v1_b", "completed", &[say("8")]),
    ]);
    let double =
        tool_fn("double", "", |number: Number| async move { Ok::<_, String>(number.n * 2) });
    let forced = GenerationConfig::new().tool_choice(ToolChoiceMode::Any).seed(7);
    agent(&service).tool(double).generation_config(forced).build().run("go").await.unwrap();
    let [first, second] = [0, 1].map(|n| service.requests()[n].json()["generation_config"].clone());
    assert_eq!(first, json!({"tool_choice": "any", "seed": 7}));
    assert_eq!(second, json!({"seed": 7}));
}
