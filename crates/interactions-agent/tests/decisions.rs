//! Approvals, calls that others carry out, questions of tools, limits, hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use interactions_agent::{
    Agent, AgentBuilder, Decisions, Ending, ExternalTool, Halt, Hooks, Limit, Limits, Need, Prices,
    RunEvent, RunState, StateKey, Tool, ToolContext, ToolError, ToolExt, ToolsetExt, TurnPlan,
    Verdict, tool_fn, tool_fn_with,
};
use interactions_client::Client;
use interactions_testing::{ScriptedModel, ScriptedTurn as Turn};
use interactions_types::{
    Content, Function, FunctionCall, GenerationConfig, Interaction, Step, ToolChoiceMode,
    ToolOutput,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Order {
    euros: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn agent(model: &ScriptedModel) -> AgentBuilder {
    let client = Client::builder().transport(model.transport()).build().expect("a client");
    Agent::builder(client, "m")
}

/// A tool that counts its calls.
fn order(calls: &Arc<AtomicU32>) -> impl Tool + use<> {
    let calls = Arc::clone(calls);
    tool_fn("order", "Orders something.", move |order: Order| {
        calls.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(format!("ordered for {}", order.euros)) }
    })
}

fn two_orders() -> ScriptedModel {
    ScriptedModel::new([
        Turn::call("c1", "order", json!({"euros": 10})).and_call(
            "c2",
            "order",
            json!({"euros": 90}),
        ),
        Turn::text("Done."),
    ])
}

#[tokio::test]
async fn a_paused_run_goes_on_in_another_process() {
    let (model, calls) = (two_orders(), Arc::new(AtomicU32::new(0)));
    let build = || {
        let dear = |arguments: &interactions_types::JsonObject| {
            arguments["euros"].as_f64().is_none_or(|euros| euros > 50.0)
        };
        agent(&model).tool(order(&calls).needs_approval_when(dear)).build()
    };
    let outcome = build().run("Order both.").await.unwrap();
    let state = outcome.paused().expect("it waits");
    let pending = state.pending();
    assert_eq!((pending.len(), pending[0].id.as_str()), (1, "c2"));
    assert_eq!((&pending[0].need, &pending[0].arguments["euros"]), (&Need::Approval, &json!(90)));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "what needs no approval has run");

    let key = StateKey::new(*b"0123456789abcdef");
    let elsewhere = RunState::open(&key, &state.seal(&key)).unwrap();
    // Nobody decides: it goes on waiting, and nothing runs twice.
    let outcome = build().resume(elsewhere.clone(), Decisions::new()).finish().await.unwrap();
    assert_eq!(outcome.paused().unwrap().pending(), pending);
    let outcome = build().resume(elsewhere, Decisions::new().approve("c2")).finish().await.unwrap();
    assert_eq!(
        (outcome.ending.clone(), outcome.output_text().as_str()),
        (Ending::Answered, "Done.")
    );
    assert_eq!((calls.load(Ordering::SeqCst), outcome.tool_calls, outcome.turns), (2, 2, 2));
    let results = model.results();
    let texts: Vec<String> = results.iter().map(|result| result.result.to_text()).collect();
    assert_eq!(texts, ["ordered for 10", "ordered for 90"], "in the order of the calls");
}

#[tokio::test]
async fn denied_and_changed_calls_reach_the_model_so() {
    let (model, calls) = (two_orders(), Arc::new(AtomicU32::new(0)));
    let agent = agent(&model).tool(order(&calls).needs_approval()).build();
    let mut run = agent.stream("Order both.");
    let mut asked = 0;
    let mut state = None;
    while let Some(event) = run.next().await {
        match event.unwrap() {
            RunEvent::ApprovalNeeded(_) => asked += 1,
            RunEvent::Finished(outcome) => state = outcome.paused().cloned(),
            _ => {}
        }
    }
    assert_eq!(asked, 2);
    let cheaper = json!({"euros": 1}).as_object().cloned().unwrap();
    let decisions = Decisions::new().approve_with("c1", cheaper).deny("c2", "too dear");
    agent.resume(state.unwrap(), decisions).finish().await.unwrap();
    let results = model.results();
    assert_eq!(results[0].result.to_text(), "ordered for 1");
    assert!(results[1].result.to_text().contains("too dear"));
    assert_eq!((results[0].is_error, results[1].is_error), (None, Some(true)));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn others_bring_results_and_people_answer_tools() {
    let model = ScriptedModel::new([
        Turn::call("c1", "ask_human", json!({})).and_call("c2", "delete", json!({})),
        Turn::text("Done."),
    ]);
    let sure = tool_fn_with("delete", "Deletes.", |context: ToolContext, _: Nothing| async move {
        match context.answer {
            Some(answer) => Ok(format!("deleted, since: {answer}")),
            None => Err(ToolError::input("Really?", Some(json!({"type": "string"})))),
        }
    });
    let external = ExternalTool::new(Function::new("ask_human").description("Asks."));
    let agent = agent(&model).tool(external).tool(sure).build();
    let state = agent.run("go").await.unwrap().paused().unwrap().clone();
    let needs: Vec<Need> = state.pending().into_iter().map(|call| call.need).collect();
    assert_eq!(needs[0], Need::Result);
    assert!(matches!(&needs[1], Need::Input { message, schema: Some(_) } if message == "Really?"));
    let wrong = agent.resume(state.clone(), Decisions::new().approve("c1")).finish().await;
    assert!(wrong.unwrap_err().to_string().contains("c1"));
    let decisions = Decisions::new().answer("c1", "forty-two").answer("c2", "yes");
    let outcome = agent.resume(state, decisions).finish().await.unwrap();
    assert_eq!(outcome.ending, Ending::Answered);
    let texts: Vec<String> = model.results().iter().map(|it| it.result.to_text()).collect();
    assert_eq!(texts, ["forty-two", "deleted, since: \"yes\""]);
}

#[tokio::test]
async fn every_limit_ends_a_run_with_everything_so_far() {
    let turns = || {
        ScriptedModel::new(
            (0..9).map(|n| Turn::call(&format!("c{n}"), "order", json!({"euros": 1})).usage(10, 5)),
        )
    };
    let prices = Prices::new().model("m", 1.0, 1.0, 1.0);
    for (limits, reached, calls) in [
        (Limits::new().turns(3), Limit::Turns(3), 2),
        (Limits::new().tool_calls(4), Limit::ToolCalls(4), 4),
        (Limits::new().calls_of("order", 1), Limit::CallsOf { tool: "order".into(), limit: 1 }, 1),
        (Limits::new().input_tokens(25), Limit::InputTokens(25), 2),
        (Limits::new().output_tokens(5), Limit::OutputTokens(5), 1),
        (Limits::new().total_tokens(29), Limit::TotalTokens(29), 1),
        (Limits::new().cost(0.000_02, prices), Limit::Cost(0.000_02), 1),
    ] {
        let (model, made) = (turns(), Arc::new(AtomicU32::new(0)));
        let agent = agent(&model).tool(order(&made)).limits(limits).build();
        let error = agent.run("go").await.unwrap_err();
        assert_eq!(error.limit(), Some(&reached));
        assert_eq!(made.load(Ordering::SeqCst), calls, "{reached}");
        assert!(error.outcome().steps.len() >= 2, "{reached}");
    }
    let sleep = tool_fn("order", "Sleeps.", |_: Order| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, String>(())
    });
    let model = turns();
    let limits = Limits::new().wall_time(Duration::from_millis(200));
    let agent = agent(&model).tool(sleep).limits(limits).build();
    let error = agent.run("go").await.unwrap_err();
    assert_eq!(error.limit(), Some(&Limit::WallTime(Duration::from_millis(200))));
    assert_eq!(error.outcome().turns, 1);
}

#[tokio::test]
async fn a_tool_may_ask_for_another_try_so_often() {
    let script = (0..9).map(|n| Turn::call(&format!("c{n}"), "guess", json!({})));
    let model = ScriptedModel::new(script);
    let tries = tool_fn_with("guess", "Guesses.", |context: ToolContext, _: Nothing| async move {
        Err::<(), _>(ToolError::retry(format!("try again, this was number {}", context.attempt)))
    });
    let agent = agent(&model).tool(tries.max_retries(2)).build();
    let mut run = agent.stream("go");
    let (mut retries, mut end) = (Vec::new(), None);
    while let Some(event) = run.next().await {
        match event {
            Ok(RunEvent::Retry { attempt, message, .. }) => retries.push((attempt, message)),
            Ok(_) => {}
            Err(error) => end = Some(error),
        }
    }
    assert_eq!(retries.len(), 3);
    assert_eq!(retries[1], (2, "try again, this was number 1".to_owned()));
    let reached = Limit::Retries { tool: "guess".into(), limit: 2 };
    assert_eq!(end.unwrap().limit(), Some(&reached));
}

#[derive(Debug, Default)]
struct Watchful {
    turns: AtomicU32,
    events: AtomicU32,
}

#[async_trait]
impl Hooks for Watchful {
    async fn before_turn(&self, run: &RunState, turn: &mut TurnPlan) -> Result<(), Halt> {
        self.turns.fetch_add(1, Ordering::SeqCst);
        if run.turns() > 0 {
            turn.target = "better".into();
            turn.system_instruction = Some("Hurry.".to_owned());
            turn.keep_tools(&[]);
        }
        Ok(())
    }

    async fn after_turn(&self, run: &RunState, _: &Interaction) -> Result<(), Halt> {
        if run.turns() == 2 { Err(Halt::new("enough")) } else { Ok(()) }
    }

    async fn before_tool(&self, _: &RunState, call: &mut FunctionCall) -> Verdict {
        match call.id.as_str() {
            "c1" => {
                call.arguments.insert("euros".to_owned(), json!(7));
                Verdict::Run
            }
            "c2" => Verdict::Answer("not today".into()),
            _ => Verdict::Deny("never".to_owned()),
        }
    }

    async fn after_tool(
        &self,
        _: &RunState,
        call: &FunctionCall,
        output: &mut ToolOutput,
        _: &mut bool,
    ) {
        *output = format!("{} by {}", output.to_text(), call.id).into();
    }

    fn on_event(&self, _: &RunEvent) {
        self.events.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn hooks_have_a_say_at_every_point() {
    let order_call = |id: &str| (id.to_owned(), json!({"euros": 90}));
    let first = ["c1", "c2", "c3"]
        .into_iter()
        .map(order_call)
        .fold(Turn::default(), |turn, (id, arguments)| turn.and_call(&id, "order", arguments));
    let model = ScriptedModel::new([first, Turn::text("All done.")]);
    let (made, hooks) = (Arc::new(AtomicU32::new(0)), Arc::new(Watchful::default()));
    let agent = agent(&model).tool(order(&made)).hooks(Arc::clone(&hooks)).build();
    let mut run = agent.stream("go");
    let (mut events, mut outcome) = (0, None);
    while let Some(event) = run.next().await {
        events += 1;
        if let RunEvent::Finished(finished) = event.unwrap() {
            outcome = Some(*finished);
        }
    }
    let outcome = outcome.unwrap();
    assert_eq!(outcome.ending, Ending::Stopped("enough".to_owned()));
    assert_eq!(hooks.turns.load(Ordering::SeqCst), 2);
    assert_eq!(hooks.events.load(Ordering::SeqCst), events);
    let texts: Vec<String> = model.results().iter().map(|it| it.result.to_text()).collect();
    assert_eq!(texts, ["ordered for 7 by c1", "not today", "It was not allowed: never"]);
    let second = &model.requests()[1];
    assert!(second.tools.is_none());
    assert_eq!(second.system_instruction.as_deref(), Some("Hurry."));
    assert_eq!(serde_json::to_value(second).unwrap()["model"], "better");
}

#[tokio::test]
async fn stop_conditions_and_choices_and_sets_change_from_turn_to_turn() {
    let model = ScriptedModel::new([
        Turn::call("c1", "net_ping", json!({})),
        Turn::call("c2", "finish", json!({})),
    ]);
    let ping = tool_fn("ping", "Pings.", |_: Nothing| async { Ok::<_, String>("pong") });
    let other = tool_fn("secret", "Hidden.", |_: Nothing| async { Ok::<_, String>("no") });
    let net: Vec<Arc<dyn Tool>> = vec![Arc::new(ping), Arc::new(other)];
    let finish = tool_fn("finish", "Ends.", |_: Nothing| async { Ok::<_, String>("ok") });
    let late: Vec<Arc<dyn Tool>> = vec![Arc::new(finish)];
    let set = net
        .filtered(|function| function.name != "secret")
        .prefixed("net_")
        .and(late.when(|run| run.turns() > 0));
    let agent = agent(&model)
        .toolset(set)
        .generation_config(GenerationConfig::new().tool_choice(ToolChoiceMode::Any))
        .stop_when("finished", |run| run.calls_of("finish") > 0)
        .build();
    let outcome = agent.run("go").await.unwrap();
    assert_eq!(outcome.ending, Ending::Stopped("finished".to_owned()));
    let requests = model.requests();
    let tools = |at: usize| -> Vec<String> {
        let tools = requests[at].tools.as_ref().unwrap();
        let name = |tool| serde_json::to_value(tool).unwrap()["name"].as_str().unwrap().to_owned();
        tools.iter().map(name).collect()
    };
    assert_eq!(
        (tools(0), tools(1)),
        (vec!["net_ping".to_owned()], vec!["net_ping".to_owned(), "finish".to_owned()])
    );
    let choice = |at: usize| {
        serde_json::to_value(&requests[at]).unwrap()["generation_config"]["tool_choice"].clone()
    };
    assert_eq!(choice(0), "any");
    assert!(choice(1).is_null(), "a forced choice is forced once");
}

#[tokio::test]
async fn media_and_dependencies_and_progress() {
    struct User(&'static str);
    let model = ScriptedModel::new([
        Turn::call("c1", "picture", json!({})).and_call("c2", "whoami", json!({})),
        Turn::text("Nice."),
    ]);
    let picture = tool_fn("picture", "Draws.", |_: Nothing| async {
        let image = interactions_types::Image::new().data("QUJD").mime_type("image/png");
        Ok::<_, String>(vec![Content::text("here"), Content::from(image)])
    });
    let whoami = tool_fn_with("whoami", "Who.", |context: ToolContext, _: Nothing| async move {
        context.progress(json!({"percent": 50})).await;
        Ok::<_, ToolError>(context.dependency::<User>()?.0)
    });
    let agent = agent(&model).tool(picture).tool(whoami).dependency(User("nobody")).build();
    let mut run = agent.with_dependency(User("Ada")).stream("go");
    let (mut progress, mut arguments) = (Vec::new(), String::new());
    while let Some(event) = run.next().await {
        match event.unwrap() {
            RunEvent::ToolProgress { name, progress: how, .. } => progress.push((name, how)),
            RunEvent::CallArguments { id, text } if id.as_str() == "c1" => {
                arguments.push_str(&text);
            }
            _ => {}
        }
    }
    assert_eq!(progress, [("whoami".to_owned(), json!({"percent": 50}))]);
    assert_eq!(arguments, "{}");
    let results = model.results();
    assert!(matches!(&results[0].result, ToolOutput::Contents(parts) if parts.len() == 2));
    assert_eq!(results[1].result.to_text(), "Ada");
}

#[tokio::test]
async fn what_must_run_alone_runs_alone_and_in_its_place() {
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tool = |name: &'static str| {
        let log = Arc::clone(&log);
        tool_fn(name, "Logs.", move |_: Nothing| {
            let log = Arc::clone(&log);
            async move {
                log.lock().unwrap().push(format!("{name}+"));
                tokio::time::sleep(Duration::from_millis(20)).await;
                log.lock().unwrap().push(format!("{name}-"));
                Ok::<_, String>(())
            }
        })
    };
    let calls = ["a", "b", "w", "c"]
        .into_iter()
        .fold(Turn::default(), |turn, name| turn.and_call(name, name, json!({})));
    let model = ScriptedModel::new([calls, Turn::text("ok")]);
    let agent = agent(&model)
        .tool(tool("a"))
        .tool(tool("b"))
        .tool(tool("w").alone())
        .tool(tool("c"))
        .build();
    let outcome = agent.run("go").await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["a+", "b+", "a-", "b-", "w+", "w-", "c+", "c-"]);
    let transcript = outcome.transcript();
    assert!(transcript.starts_with("user: go\ncall: a({})\n"), "{transcript}");
    assert!(transcript.ends_with("result: c → done\nmodel: ok\n"), "{transcript}");
    assert!(matches!(&outcome.steps[0], Step::UserInput(_)));
}

#[tokio::test]
async fn two_calls_of_one_id_are_not_taken_for_each_other() {
    let calls: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::new([
        Turn::call("c1", "order", json!({"what": "tea", "euros": 1})).and_call(
            "c1",
            "order",
            json!({"what": "a yacht", "euros": 1}),
        ),
        Turn::text("done"),
    ]);
    let agent = agent(&model).tool(order(&calls).needs_approval()).build();
    let paused = agent.run("go").await.unwrap();
    let state = paused.paused().unwrap().clone();
    assert_eq!(state.pending().len(), 1, "only the first one can be decided about");
    agent.resume(state, Decisions::new().approve("c1")).finish().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let results = model.results();
    assert!(results.iter().any(|result| result.is_error == Some(true)), "{results:?}");
}

#[tokio::test]
async fn a_rule_that_panics_is_no_permission() {
    let calls: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::new([Turn::call("c1", "order", json!({"what": "tea", "euros": 1}))]);
    let careless = order(&calls).needs_approval_when(|arguments| arguments["missing"] == 1);
    let outcome = agent(&model).tool(careless).build().run("go").await.unwrap();
    assert!(outcome.paused().is_some());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_resumed_run_has_the_tools_and_the_rules_of_its_turn() {
    #[derive(Debug)]
    struct Strict;

    #[async_trait]
    impl Hooks for Strict {
        async fn before_turn(&self, run: &RunState, plan: &mut TurnPlan) -> Result<(), Halt> {
            // What is allowed in the first turn only.
            if run.turns() > 0 {
                plan.tools.clear();
            }
            Ok(())
        }
    }

    let calls: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::new([
        Turn::call("c1", "order", json!({"what": "tea", "euros": 1})),
        Turn::text("done"),
    ]);
    let agent = agent(&model).tool(order(&calls).needs_approval()).hooks(Strict).build();
    let paused = agent.run("go").await.unwrap();
    let state = RunState::from_json(&paused.paused().unwrap().to_json()).unwrap();
    agent.resume(state, Decisions::new().approve("c1")).finish().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the tool of the first turn is there");
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_the_middle_of_a_turn_keeps_what_was_done() {
    let model = ScriptedModel::new([
        Turn::call("c1", "quick", json!({})).and_call("c2", "slow", json!({})),
        Turn::text("never asked"),
    ]);
    let quick = tool_fn("quick", "Is quick.", |_: Nothing| async { Ok::<_, String>("paid") });
    let slow = tool_fn("slow", "Is slow.", |_: Nothing| async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok::<_, String>("late")
    });
    let agent = agent(&model)
        .tool(quick)
        .tool(slow.timeout(Duration::from_secs(7200)))
        .limits(Limits::new().wall_time(Duration::from_secs(5)))
        .build();
    let error = agent.run("go").await.unwrap_err();
    let outcome = error.outcome();
    let results: Vec<_> = outcome
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::FunctionResult(result) => Some(result.result.to_text()),
            _ => None,
        })
        .collect();
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(results[0].contains("paid") && results[1].contains("nobody knows"), "{results:?}");
    let endless = agent_with_no_end(&model);
    assert!(endless.run("again").await.is_ok());
}

/// What a hook does in one of its places.
#[derive(Clone, Copy, Debug)]
enum Mischief {
    Hangs(&'static str),
    Panics(&'static str),
}

impl Mischief {
    async fn at(self, place: &str) {
        match self {
            Self::Hangs(bad) if bad == place => std::future::pending().await,
            Self::Panics(bad) if bad == place => panic!("as told"),
            _ => {}
        }
    }
}

#[async_trait]
impl Hooks for Mischief {
    async fn before_turn(&self, _: &RunState, _: &mut TurnPlan) -> Result<(), Halt> {
        self.at("before_turn").await;
        Ok(())
    }

    async fn after_turn(&self, _: &RunState, _: &Interaction) -> Result<(), Halt> {
        self.at("after_turn").await;
        Ok(())
    }

    async fn before_tool(&self, _: &RunState, _: &mut FunctionCall) -> Verdict {
        self.at("before_tool").await;
        Verdict::Run
    }

    async fn after_tool(&self, _: &RunState, _: &FunctionCall, _: &mut ToolOutput, _: &mut bool) {
        self.at("after_tool").await;
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_that_hang_or_panic_end_the_run_and_nothing_else() {
    for place in ["before_turn", "after_turn", "before_tool", "after_tool"] {
        for mischief in [Mischief::Hangs(place), Mischief::Panics(place)] {
            let calls: Arc<AtomicU32> = Arc::default();
            let model = ScriptedModel::new([
                Turn::call("c1", "order", json!({"what": "tea", "euros": 1})),
                Turn::text("done"),
            ]);
            let agent = agent(&model)
                .tool(order(&calls))
                .hooks(mischief)
                .limits(Limits::new().wall_time(Duration::from_secs(5)))
                .build();
            let error = agent.run("go").await.unwrap_err();
            match mischief {
                Mischief::Hangs(_) => assert!(error.limit().is_some(), "{mischief:?}: {error}"),
                Mischief::Panics(_) => assert!(error.to_string().contains(place), "{error}"),
            }
            let steps = json!(error.outcome().steps).to_string();
            if place == "after_tool" {
                assert!(steps.contains("held back"), "not for the model before the hook: {steps}");
            }
            assert_eq!(calls.load(Ordering::SeqCst), u32::from(place == "after_tool"));
        }
    }
}

/// A limit that no clock can express is none.
fn agent_with_no_end(model: &ScriptedModel) -> Agent {
    agent(model).limits(Limits::new().wall_time(Duration::MAX)).build()
}

#[tokio::test]
async fn nothing_comes_after_the_end_although_a_tool_still_holds_its_context() {
    let model = ScriptedModel::new([Turn::call("c1", "hoard", json!({})), Turn::text("done")]);
    let kept: Arc<std::sync::Mutex<Vec<ToolContext>>> = Arc::default();
    let hoard = Arc::clone(&kept);
    let hoarding =
        tool_fn_with("hoard", "Keeps its context.", move |context: ToolContext, _: Nothing| {
            hoard.lock().unwrap().push(context);
            async { Ok::<_, String>("ok") }
        });
    let mut run = agent(&model).tool(hoarding).build().stream("go");
    let read = async {
        let mut last = None;
        while let Some(event) = run.next().await {
            last = Some(event.unwrap());
        }
        last
    };
    let last = tokio::time::timeout(Duration::from_secs(5), read).await.expect("it ends");
    assert!(matches!(last, Some(RunEvent::Finished(_))));
    assert_eq!(kept.lock().unwrap().len(), 1);
}
