//! Histories, sessions, compaction, teams, typed answers, background work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use interactions_agent::{
    Agent, AgentBuilder, Compactor, Decisions, Ending, FileSessions, Hooks, KeepRecent, Limit,
    Limits, MemorySessions, RunEvent, RunState, Session, SessionStore, Summarize, Tool, ToolExt,
    Verdict, tool_fn,
};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use interactions_types::{FunctionCall, Input, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn agent(model: &ScriptedModel) -> AgentBuilder {
    let client = Client::builder().transport(model.transport()).build().expect("a client");
    Agent::builder(client, "m")
}

fn counting(name: &'static str, calls: &Arc<AtomicU32>) -> impl Tool + use<> {
    let calls = Arc::clone(calls);
    tool_fn(name, "Counts.", move |_: Nothing| {
        let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, String>(n) }
    })
}

fn steps(input: Option<&Input>) -> Vec<Step> {
    input.cloned().map(Input::into_steps).unwrap_or_default()
}

#[tokio::test]
async fn a_session_goes_on_where_it_was_and_forks() {
    let model = ScriptedModel::new((0..4).map(|n| Turn::text(format!("answer {n}"))));
    let store: Arc<dyn SessionStore> = Arc::new(MemorySessions::new());
    let session = Session::new(Arc::clone(&store), "chat");
    let agent = agent(&model).build();
    agent.in_session(&session).run("one").await.unwrap();
    agent.in_session(&Session::new(store, "chat")).run("two").await.unwrap();
    let requests = model.requests();
    assert_eq!(requests[0].previous_interaction_id, None);
    assert_eq!(requests[1].previous_interaction_id.as_ref().unwrap().as_str(), "v1_1");
    assert_eq!(steps(requests[1].input.as_ref()), [Step::user_text("two")]);
    assert_eq!(session.record().await.unwrap().history.len(), 4);

    let fork = session.fork("other").await.unwrap();
    agent.in_session(&fork).run("three").await.unwrap();
    agent.in_session(&session).run("four").await.unwrap();
    let heads: Vec<_> = model.requests()[2..]
        .iter()
        .map(|request| request.previous_interaction_id.clone().unwrap().to_string())
        .collect();
    assert_eq!(heads, ["v1_2", "v1_2"], "both go on from the second answer");
}

#[tokio::test]
async fn a_conversation_whose_run_was_stopped_goes_on_with_what_its_tools_brought() {
    let calls: Arc<AtomicU32> = Arc::default();
    let script =
        || ScriptedModel::new([Turn::call("c1", "finish", json!({})), Turn::text("and so on")]);
    let stopping = |model: &ScriptedModel| {
        agent(model)
            .tool(counting("finish", &calls))
            .stop_when("finished", |run| run.calls_of("finish") > 0)
            .build()
    };
    // In a session, and from the outcome alone.
    let model = script();
    let session = Session::new(Arc::new(MemorySessions::new()), "chat");
    let in_session = stopping(&model).in_session(&session);
    let stopped = in_session.run("go").await.unwrap();
    assert!(matches!(stopped.ending, Ending::Stopped(_)));
    assert!(matches!(stopped.steps.last(), Some(Step::FunctionResult(_))), "{:?}", stopped.steps);
    in_session.run("more").await.unwrap();

    let other = script();
    let stopped = stopping(&other).run("go").await.unwrap();
    stopping(&other).after(&stopped).run("more").await.unwrap();
    for model in [model, other] {
        let asked = steps(model.requests()[1].input.as_ref());
        assert!(
            matches!(&asked[..], [Step::FunctionResult(result), Step::UserInput(_)]
                if result.call_id.as_str() == "c1"),
            "{asked:?}"
        );
    }
    // And it is told once.
    let kept = session.record().await.unwrap();
    assert!(kept.unsent.is_empty());
    let results = kept.history.iter().filter(|step| matches!(step, Step::FunctionResult(_)));
    assert_eq!(results.count(), 1);
}

#[tokio::test]
async fn a_conversation_that_cannot_be_chained_any_more_is_told_again() {
    let gone = "the conversation cannot be continued: its interaction v1_0 has been deleted";
    let model = ScriptedModel::new([
        Turn::text("one"),
        Turn::refusal(400, "invalid_request", gone),
        Turn::text("two"),
    ]);
    let session = Session::new(Arc::new(MemorySessions::new()), "chat");
    let agent = agent(&model).build().in_session(&session);
    agent.run("a").await.unwrap();
    assert_eq!(agent.run("b").await.unwrap().output_text(), "two");
    let requests = model.requests();
    assert_eq!(requests[2].previous_interaction_id, None);
    assert_eq!(steps(requests[2].input.as_ref()).len(), 3, "all of it");
}

#[tokio::test]
async fn two_runs_cannot_go_on_with_one_session() {
    let calls: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::new([
        Turn::call("c1", "pay", json!({})),
        Turn::text("paid"),
        Turn::text("more"),
    ]);
    let store: Arc<dyn SessionStore> = Arc::new(MemorySessions::new());
    let build = || agent(&model).tool(counting("pay", &calls).needs_approval()).build();
    let session = || Session::new(Arc::clone(&store), "chat");
    let paused = build().in_session(&session()).run("pay").await.unwrap();
    let state = paused.paused().unwrap().clone();
    let decisions = || Decisions::new().approve("c1");
    // Two processes resume it at once: one of them gets no further than its next step.
    let (one, other) = (build().in_session(&session()), build().in_session(&session()));
    let (one, other) = futures::join!(
        one.resume_session(decisions()).finish(),
        other.resume_session(decisions()).finish()
    );
    let failed = [&one, &other].into_iter().filter(|ended| ended.is_err()).count();
    assert_eq!((failed, calls.load(Ordering::SeqCst)), (1, 1), "{one:?} {other:?}");
    // And the state that was kept aside is over.
    let late = build().in_session(&session()).resume(state, decisions()).finish().await;
    assert!(late.unwrap_err().to_string().contains("gone on"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_waited_for_room_are_run_after_a_crash_and_others_are_not() {
    let calls: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::new([
        Turn::call("c1", "slow", json!({})).and_call("c2", "pay", json!({})),
        Turn::text("done"),
    ]);
    let session = Session::new(Arc::new(MemorySessions::new()), "chat");
    let slow = || {
        tool_fn("slow", "Is slow.", |_: Nothing| async {
            tokio::time::sleep(std::time::Duration::from_secs(30)).await;
            Ok::<_, String>("late")
        })
    };
    let build = || {
        let agent = agent(&model).tool(slow()).tool(counting("pay", &calls));
        agent.max_parallel_tools(1).build().in_session(&session)
    };
    let run = async {
        let mut run = build().stream("go");
        while run.next().await.is_some() {}
    };
    // The process dies while the first call runs and the second one waits for room.
    let died = tokio::time::timeout(std::time::Duration::from_secs(5), run).await;
    assert!(died.is_err() && calls.load(Ordering::SeqCst) == 0);
    build().resume_session(Decisions::new()).finish().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let results: Vec<_> = model.results().iter().map(|it| it.result.to_text()).collect();
    assert!(results[0].contains("nobody knows") && results[1] == "1", "{results:?}");
}

#[tokio::test]
async fn who_watches_the_first_agent_watches_those_it_hands_over_to() {
    #[derive(Debug, Default)]
    struct Watch(std::sync::Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl Hooks for Watch {
        async fn before_tool(&self, _: &RunState, call: &mut FunctionCall) -> Verdict {
            self.0.lock().unwrap().push(call.name.clone());
            Verdict::Run
        }
    }

    let model = ScriptedModel::new([
        Turn::call("c1", "transfer_to_billing", json!({})),
        Turn::call("c2", "refund", json!({})),
        Turn::text("Refunded."),
    ]);
    let watch = Arc::new(Watch::default());
    let billing = agent(&model).name("billing").tool(counting("refund", &Arc::default())).build();
    let front = agent(&model).name("front").handoff(billing, "Money.").hooks(Arc::clone(&watch));
    front.build().run("go").await.unwrap();
    assert_eq!(*watch.0.lock().unwrap(), ["transfer_to_billing", "refund"]);
}

#[tokio::test]
async fn what_the_service_has_forgotten_is_told_again_byte_for_byte() {
    let model = ScriptedModel::new([
        Turn::default().and_thought("Hm.").and_text("one"),
        Turn::text("two"),
        Turn::text("three"),
    ]);
    let session = Session::new(Arc::new(MemorySessions::new()), "chat");
    let agent = agent(&model).build().in_session(&session);
    let first = agent.run("hello").await.unwrap();
    model.forget();
    let second = agent.run("again").await.unwrap();
    assert_eq!(second.output_text(), "two");
    let requests = model.requests();
    assert_eq!(requests.len(), 3, "one was refused");
    let told = steps(requests[2].input.as_ref());
    let expected = [first.steps, vec![Step::user_text("again")]].concat();
    assert_eq!(json!(told), json!(expected));
    assert_eq!(json!(told)[1]["signature"], "c2lnbmVk");
    // From here on the service knows it again.
    agent.run("more").await.unwrap();
    assert!(model.requests()[3].previous_interaction_id.is_some());
}

#[tokio::test]
async fn a_run_that_was_broken_off_goes_on_from_its_session_and_repeats_nothing() {
    let folder = std::env::temp_dir().join(format!("interactions-broken-{}", std::process::id()));
    let store: Arc<dyn SessionStore> = Arc::new(FileSessions::new(&folder));
    let model = ScriptedModel::new([
        Turn::call("c1", "quick", json!({})).and_call("c2", "slow", json!({})).and_call(
            "c3",
            "again",
            json!({}),
        ),
        Turn::text("Done."),
    ]);
    let (quick, slow, again) = (Arc::default(), Arc::default(), Arc::default());
    let build = |hangs: bool| {
        let slowly = Arc::clone(&slow);
        let hanging = move |name: &'static str, calls: Arc<AtomicU32>| {
            tool_fn(name, "Hangs.", move |_: Nothing| {
                let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
                async move {
                    if first && hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, String>("ran")
                }
            })
        };
        let session = Session::new(Arc::clone(&store), "work");
        agent(&model)
            .tool(counting("quick", &quick))
            .tool(hanging("slow", slowly))
            .tool(hanging("again", Arc::clone(&again)).repeatable())
            .build()
            .in_session(&session)
    };
    // The process ends when one tool has ended and two run.
    let mut run = build(true).stream("go");
    while let Some(event) = run.next().await {
        if matches!(event.unwrap(), RunEvent::ToolFinished { .. }) {
            break;
        }
    }
    // What has ended is on record before the next event is read.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), run.next()).await;
    drop(run);
    let fresh = build(false).run("something else").await.unwrap_err();
    assert!(fresh.to_string().contains("resume"), "{fresh}");
    let outcome = build(false).resume_session(Decisions::new()).finish().await.unwrap();
    assert_eq!(outcome.ending, Ending::Answered);
    let count = |calls: &Arc<AtomicU32>| calls.load(Ordering::SeqCst);
    assert_eq!((count(&quick), count(&slow), count(&again)), (1, 1, 2));
    let texts: Vec<String> = model.results().iter().map(|it| it.result.to_text()).collect();
    assert_eq!((texts[0].as_str(), texts[2].as_str()), ("1", "ran"));
    assert!(texts[1].contains("nobody knows"), "{texts:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn long_conversations_are_made_shorter() {
    let model = ScriptedModel::new([
        Turn::text("one").usage(10, 1),
        Turn::text("two").usage(999, 1),
        Turn::text("three").usage(10, 1),
        Turn::text("four").usage(10, 1),
    ]);
    let session = Session::new(Arc::new(MemorySessions::new()), "chat");
    let agent = agent(&model).compactor(KeepRecent::new(100, 1)).build().in_session(&session);
    let mut compacted = Vec::new();
    for question in ["first", "second", "third", "fourth"] {
        let mut run = agent.stream(question);
        while let Some(event) = run.next().await {
            if let RunEvent::Compacted { before, after } = event.unwrap() {
                compacted.push((question, before, after));
            }
        }
    }
    assert_eq!(compacted, [("third", 4, 2)]);
    let requests = model.requests();
    assert!(requests[1].previous_interaction_id.is_some(), "nothing was long yet");
    assert_eq!(requests[2].previous_interaction_id, None, "a new chain, from what is left");
    let texts = json!(steps(requests[2].input.as_ref())).to_string();
    assert!(
        texts.contains("second") && texts.contains("two") && !texts.contains("first"),
        "{texts}"
    );
    assert!(requests[3].previous_interaction_id.is_some());

    let model_two = ScriptedModel::new([Turn::text("They said hello.").usage(7, 3)]);
    let client = Client::builder().transport(model_two.transport()).build().unwrap();
    let summarize = Summarize::new(Agent::builder(client, "m").build(), 5, 1);
    let conversation =
        vec![Step::user_text("hello"), Step::model_text("hi"), Step::user_text("and now?")];
    let shorter = summarize.compact(conversation).await.unwrap();
    assert_eq!(shorter.usage.total_tokens, Some(10), "the run pays for it");
    let shorter = shorter.conversation;
    assert_eq!(shorter.len(), 2);
    assert!(json!(shorter[0]).to_string().contains("They said hello."));
    assert!(json!(model_two.requests()[0]).to_string().contains("model: hi"));
}

#[tokio::test]
async fn a_stateless_conversation_that_has_grown_long_forgets_its_beginning() {
    let model =
        ScriptedModel::new(["one", "two", "three"].map(|text| Turn::text(text).usage(999, 1)));
    let agent = agent(&model).store(false).compactor(KeepRecent::new(100, 1)).build();
    let first = agent.run("first").await.unwrap();
    let second = agent.after(&first).run("second").await.unwrap();
    agent.after(&second).run("third").await.unwrap();
    let told: Vec<usize> =
        model.requests().iter().map(|request| steps(request.input.as_ref()).len()).collect();
    assert_eq!(told, [1, 3, 3], "one exchange is never given up, the one before it is");
}

#[tokio::test]
async fn agents_work_for_each_other() {
    let helper = ScriptedModel::new([Turn::text("Snow.").usage(7, 3)]);
    let boss = ScriptedModel::new([
        Turn::call("c1", "forecaster", json!({"task": "The weather in Oslo?"})).usage(10, 1),
        Turn::text("Take boots.").usage(20, 2),
    ]);
    let forecaster = agent(&helper).build().as_tool("forecaster", "Knows the weather.");
    let boss_agent = agent(&boss).tool(forecaster).build();
    let mut run = boss_agent.stream("What shall I wear?");
    let (mut progress, mut outcome) = (0, None);
    while let Some(event) = run.next().await {
        match event.unwrap() {
            RunEvent::ToolProgress { .. } => progress += 1,
            RunEvent::Finished(finished) => outcome = Some(finished),
            _ => {}
        }
    }
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output_text(), "Take boots.");
    assert!(progress > 0, "what the helper says is seen on the way");
    assert_eq!(outcome.usage.total_tokens, Some(43), "the helper's cost counts");
    assert_eq!(boss.results()[0].result.to_text(), "Snow.");
}

#[tokio::test]
async fn a_conversation_is_handed_over_and_stays_there() {
    let model = ScriptedModel::new([
        Turn::call("c1", "transfer_to_billing", json!({})),
        Turn::call("c2", "refund", json!({})),
        Turn::text("Refunded."),
    ]);
    let calls = Arc::default();
    let billing = agent(&model)
        .name("billing")
        .system_instruction("You do billing.")
        .tool(counting("refund", &calls).needs_approval())
        .build();
    let front = agent(&model)
        .name("front")
        .system_instruction("You greet.")
        .handoff(billing, "Takes care of money.")
        .build();
    let outcome = front.run("I want my money back.").await.unwrap();
    let state = outcome.paused().unwrap().clone();
    assert_eq!(state.agent(), "billing");
    let decisions = Decisions::new().approve("c2");
    let mut run = front.resume(state, decisions);
    let mut last = None;
    while let Some(event) = run.next().await {
        last = Some(event.unwrap());
    }
    assert!(
        matches!(last, Some(RunEvent::Finished(outcome)) if outcome.output_text() == "Refunded.")
    );
    let requests = model.requests();
    let told: Vec<_> =
        requests.iter().map(|it| it.system_instruction.as_deref().unwrap()).collect();
    assert_eq!(told, ["You greet.", "You do billing.", "You do billing."]);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Recipe {
    name: String,
    minutes: u32,
}

#[tokio::test]
async fn typed_answers_are_corrected_by_the_model() {
    let model = ScriptedModel::new([
        Turn::text(r#"{"name": "Soup", "minutes": "ten"}"#).usage(1, 1),
        Turn::text(r#"{"name": "Soup", "minutes": 10}"#).usage(1, 1),
    ]);
    let typed = agent(&model).build().run_typed::<Recipe>("A soup, please.").await.unwrap();
    assert_eq!(typed.value, Recipe { name: "Soup".to_owned(), minutes: 10 });
    assert_eq!((typed.outcome.turns, typed.outcome.usage.total_tokens), (2, Some(4)));
    let requests = model.requests();
    assert!(json!(requests[1].input).to_string().contains("`minutes`"));
    assert_eq!(
        json!(requests[1])["response_format"]["schema"]["required"],
        json!(["name", "minutes"])
    );
    assert!(requests[1].previous_interaction_id.is_some());

    // Its limits are those of all corrections together.
    let wrong = ScriptedModel::new((0..3).map(|_| Turn::text("no").usage(1, 1)));
    let limited = agent(&wrong).limits(Limits::new().turns(2)).build();
    let error = limited.run_typed::<Recipe>("A soup.").await.unwrap_err();
    assert_eq!(error.limit(), Some(&Limit::Turns(2)), "{error}");
    assert_eq!((error.outcome().turns, error.outcome().usage.total_tokens), (2, Some(4)));
    assert_eq!(wrong.turns_left(), 1);

    let stubborn = ScriptedModel::new((0..3).map(|_| Turn::text("no")));
    let error = agent(&stubborn).build().run_typed::<Recipe>("A soup.").await.unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
    assert_eq!(stubborn.turns_left(), 0);
}

#[tokio::test]
async fn background_work_is_followed_and_taken_up_again() {
    let model = ScriptedModel::new([
        Turn::call("c1", "count", json!({})),
        Turn::text("Counted."),
        Turn::call("c9", "count", json!({})),
        Turn::text("Counted again."),
    ]);
    let calls = Arc::default();
    let agent = agent(&model).tool(counting("count", &calls)).background(true).build();
    let outcome = agent.run("Count.").await.unwrap();
    assert_eq!((outcome.output_text().as_str(), calls.load(Ordering::SeqCst)), ("Counted.", 1));
    assert!(model.requests().iter().all(|request| request.background == Some(true)));

    // Another process has begun it and gone.
    let client = Client::builder().transport(model.transport()).build().unwrap();
    let begun = client
        .create(interactions_types::CreateInteraction::new("m", "Count.").background(true))
        .await
        .unwrap();
    let outcome = agent.reattach(begun.id).finish().await.unwrap();
    assert_eq!(
        (outcome.output_text().as_str(), calls.load(Ordering::SeqCst)),
        ("Counted again.", 2)
    );
}

/// A stream cut at every event of a run with tools: it goes on, and no tool runs twice.
#[tokio::test(start_paused = true)]
async fn a_stream_cut_anywhere_costs_nothing() {
    for first in 1..=9 {
        for second in 1..=6 {
            let model = ScriptedModel::new([
                Turn::call("c1", "count", json!({}))
                    .and_call("c2", "count", json!({}))
                    .cut_after(first),
                Turn::text("Counted.").cut_after(second),
            ]);
            let calls = Arc::default();
            let agent = agent(&model).tool(counting("count", &calls)).build();
            let outcome = agent.run("Count twice.").await;
            let outcome =
                outcome.unwrap_or_else(|error| panic!("cut at {first}, {second}: {error}"));
            assert_eq!(outcome.output_text(), "Counted.", "cut at {first}, {second}");
            assert_eq!(calls.load(Ordering::SeqCst), 2, "cut at {first}, {second}");
        }
    }
}
