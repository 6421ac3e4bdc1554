//! Bad input: every refusal names what is wrong and where, and nothing breaks.

mod harness;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use harness::Harness;
use interactions_server::{Adapter, Config, ModelConfig};
use interactions_testing::{ChatStub, Dialect};
use interactions_types::{CreateInteraction, Function, Status};
use serde_json::{Value, json};

#[tokio::test]
async fn bad_requests_are_refused_with_their_path() {
    let server = Harness::new().await;
    let with = |more: Value| {
        let mut body = json!({"model": "scripted", "input": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        body
    };
    let invalid = "invalid_request";
    for (body, status, code, words) in [
        (json!({"input": "x"}), 400, invalid, "`model`"),
        (with(json!({"agent": "a"})), 400, invalid, "exclude each other"),
        (json!({"model": "nobody", "input": "x"}), 404, "model_not_found", "nobody"),
        (json!({"agent": "nobody", "input": "x"}), 404, "not_found", "nobody"),
        (json!({"model": "scripted"}), 400, invalid, "`input`"),
        (json!({"model": "scripted", "input": []}), 400, invalid, "`input`"),
        (with(json!({"inptu": 1})), 400, "parameter_unknown", "'inptu'"),
        (
            with(json!({"generation_config": {"temprature": 1}})),
            400,
            "parameter_unknown",
            "'generation_config.temprature'",
        ),
        (
            with(json!({"tools": [{"type": "function", "name": "f", "paramters": {}}]})),
            400,
            "parameter_unknown",
            "'tools[0].paramters'",
        ),
        (
            with(json!({"generation_config": {"thinking_level": "super"}})),
            400,
            invalid,
            "minimal, low",
        ),
        (with(json!({"tools": [{"type": "time_machine"}]})), 400, invalid, "tools[0].type"),
        (with(json!({"tools": [{"type": "google_search"}]})), 400, invalid, "tools[0].type"),
        (with(json!({"tools": [{"type": "function"}]})), 400, invalid, "tools[0].name"),
        (
            with(
                json!({"tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "f"}]}),
            ),
            400,
            invalid,
            "twice",
        ),
        (
            with(json!({"tools": [{"type": "mcp_server", "name": "s"}]})),
            400,
            invalid,
            "tools[0].url",
        ),
        (
            with(json!({"generation_config": {"temperature": "hot"}})),
            400,
            invalid,
            "generation_config.temperature",
        ),
        (with(json!({"input": [{"type": "text", "text": 7}]})), 400, invalid, "input"),
        (with(json!({"input": [{"type": "telepathy"}]})), 400, invalid, "telepathy"),
        (with(json!({"store": "yes"})), 400, invalid, "`store`"),
        (with(json!({"store": false, "background": true})), 400, invalid, "background"),
        (
            with(json!({"webhook_config": {"uris": ["https://example.com"]}})),
            400,
            invalid,
            "webhook_config",
        ),
        (with(json!({"previous_interaction_id": "v1_nobody"})), 404, "not_found", "v1_nobody"),
        (with(json!({"labels": {"Team": "x"}})), 400, invalid, "Team"),
        (with(json!({"labels": {"team": "a".repeat(64)}})), 400, invalid, "labels.team"),
        (
            with(json!({"generation_config": {"max_output_tokens": 0}})),
            400,
            invalid,
            "max_output_tokens",
        ),
        (
            with(
                json!({"generation_config": {"tool_choice": {"allowed_tools": {"tools": ["g"]}}}}),
            ),
            400,
            invalid,
            "'g'",
        ),
        (
            with(json!({"input": [{"type": "function_result", "call_id": "c", "result": "r"}]})),
            400,
            invalid,
            "'c'",
        ),
        (with(json!({"continuation_token": "t"})), 400, invalid, "continuation_token"),
    ] {
        let (got, reply) = server.post(body.clone()).await;
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (got, reply["error"]["code"].as_str()),
            (status, Some(code)),
            "{body} → {reply}"
        );
        assert!(message.contains(words), "{body} → {message}");
    }
    assert!(server.client.list().await.unwrap().ids().is_empty(), "nothing was stored");
}

#[tokio::test]
async fn what_is_not_json_is_refused_and_nothing_crashes() {
    let server = Harness::new().await;
    let deep = "[".repeat(100_000);
    let deep_input = format!(
        r#"{{"model":"scripted","input":[{}"#,
        r#"{"type":"user_input","content":["#.repeat(10_000)
    );
    for body in [
        "",
        "{",
        "null",
        "7",
        "[]",
        "\"text\"",
        "{\"model\":\"\\ud800\"}",
        "\u{0}",
        &deep,
        &deep_input,
    ] {
        let (status, reply) = server.raw("POST", "/v1/interactions", body.to_owned()).await;
        assert_eq!(
            (status, &reply["error"]["code"]),
            (400, &json!("invalid_request")),
            "{:.40}",
            body
        );
    }
    let (status, reply) = server.raw("POST", "/v1/interactions", vec![0xff, 0xfe, b'{']).await;
    assert_eq!(status, 400, "{reply}");
}

#[tokio::test]
async fn bodies_over_the_limit_are_413() {
    let mut config = Config::default();
    config.limits.body_bytes = 1000;
    let server = Harness::with(config).await;
    let (status, reply) =
        server.post(json!({"model": "scripted", "input": "x".repeat(2000)})).await;
    assert_eq!(status, 413, "{reply}");
    assert!(reply["error"]["message"].as_str().unwrap().contains("1000"));
}

#[tokio::test]
async fn addresses_that_do_not_exist_answer_in_the_same_form() {
    let server = Harness::new().await;
    for (method, path, expected) in [
        ("GET", "/", 404),
        ("GET", "/v2/interactions", 404),
        ("POST", "/v1/nonsense", 404),
        ("PUT", "/v1/interactions", 405),
        ("GET", "/v1/interactions/v1_nobody", 404),
        ("GET", "/v1beta/interactions/v1_nobody?stream=true", 404),
        ("DELETE", "/v1beta1/projects/p/locations/global/interactions/v1_nobody", 404),
        ("GET", "/v1/interactions/v1_nobody?stream=maybe", 400),
        ("GET", "/v1/interactions?page_token=zzz", 400),
        ("GET", "/v1/agents/nobody", 404),
    ] {
        let (status, reply) = server.raw(method, path, "").await;
        assert_eq!(status, expected, "{method} {path}");
        assert!(
            reply["error"]["code"].is_string() && reply["error"]["message"].is_string(),
            "{method} {path}: {reply}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.raw("GET", path, "").await.0, 200);
    }
}

#[tokio::test]
async fn a_broken_upstream_is_an_error_that_says_so_and_loses_nothing() {
    for (dialect, status, code) in [
        (Dialect::Broken(500), 503, "service_unavailable"),
        (Dialect::Broken(504), 504, "deadline_exceeded"),
        (Dialect::Broken(429), 429, "rate_limit_exceeded"),
        (Dialect::CutOff, 503, "service_unavailable"),
        (Dialect::Broken(401), 200, "api_error"),
        (Dialect::Broken(400), 200, "invalid_request"),
        (Dialect::Garbage, 200, "api_error"),
    ] {
        let stub = ChatStub::start(dialect).await.unwrap();
        let server = Harness::with_chat(&stub.base_url()).await;
        let (got, reply) = server.post(json!({"model": "m", "input": "hi"})).await;
        assert_eq!(got, status, "{dialect:?}: {reply}");
        let listed = server.client.list().await.unwrap().ids();
        let stored = server.client.get(&listed[0]).await.unwrap();
        assert_eq!(stored.status, Status::Failed, "{dialect:?}");
        assert_eq!(stored.errors.as_ref().unwrap()[0].code.as_deref(), Some(code), "{dialect:?}");
        if dialect == Dialect::CutOff {
            assert_eq!(stored.output_text(), "half an ans", "what arrived is kept");
        }
    }
    let server = Harness::with_chat("http://127.0.0.1:9/v1").await;
    let error = server.client.create(CreateInteraction::new("m", "hi")).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(503), Some("service_unavailable")));
    assert!(
        !error.to_string().contains("127.0.0.1"),
        "callers do not learn internal addresses: {error}"
    );
}

/// A server whose model `m` follows one rule.
async fn scripted(rule: &str) -> Harness {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("interactions-rules-{}-{number}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, format!("[[rules]]\n{rule}\n")).expect("a folder for the rules");
    let mut model = ModelConfig::new("m", Adapter::Scripted);
    model.script = Some(path.clone());
    let mut config = Config::default();
    config.models.push(model);
    let harness = Harness::with(config).await;
    std::fs::remove_file(path).expect("the rules were read");
    harness
}

#[tokio::test]
async fn what_nobody_could_read_back_is_refused() {
    let server = Harness::new().await;
    let nested = |levels: usize| {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"model":"scripted","input":{{"type":"text","text":"hi","x":{deep}}}}}"#)
    };
    let (status, body) = server.raw("POST", "/v1/interactions", nested(70)).await;
    assert_eq!(status, 400);
    assert!(body["error"]["message"].as_str().unwrap().contains("`input` is nested"), "{body}");
    let (status, body) = server.raw("POST", "/v1/interactions", nested(50)).await;
    assert_eq!(status, 200, "{body}");
    let id = body["id"].as_str().unwrap();
    let path = format!("/v1/interactions/{id}?include_input=true");
    assert_eq!(server.raw("GET", &path, "").await.0, 200);
    assert_eq!(server.raw("GET", "/v1/interactions", "").await.0, 200);
}

#[tokio::test]
async fn inputs_that_say_nothing_are_refused_with_their_place() {
    let server = Harness::new().await;
    for (more, place) in [
        (json!({"input": ""}), "input[0].content"),
        (json!({"input": [{"type": "text"}]}), "input[0].content"),
        (
            json!({"input": [{"type": "text", "text": "see"}, {"type": "image"}]}),
            "input[0].content[1]",
        ),
        (
            json!({"input": "x", "generation_config": {"seed": 3_000_000_000_u64}}),
            "generation_config.seed",
        ),
        (json!({"input": "x", "response_format": {"type": "image"}}), "response_format"),
        (json!({"input": "x", "response_modalities": ["audio"]}), "response_modalities"),
        (json!({"input": "x", "cached_content": "c"}), "cached_content"),
        (
            json!({"input": "x", "generation_config": {"image_config": {}}}),
            "generation_config.image_config",
        ),
    ] {
        let mut body = json!({"model": "scripted"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, body) = server.post(body).await;
        assert_eq!(status, 400, "{body}");
        assert!(body["error"]["message"].as_str().unwrap().contains(place), "{place}: {body}");
    }
}

#[tokio::test]
async fn ids_and_parameters_of_any_spelling_get_a_proper_answer() {
    let server = Harness::new().await;
    let (status, body) = server.raw("GET", "/v1/interactions/%ff", "").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    let (status, _) = server.raw("GET", "/v1/interactions?page_size=99999999999", "").await;
    assert_eq!(status, 200);
    let (status, body) = server.raw("GET", "/v1/interactions?page_size=-1", "").await;
    assert_eq!(status, 400, "{body}");
    let (_, made) = server.post(json!({"model": "scripted", "input": "x"})).await;
    let path = format!("/v1/interactions/{}?stream=TRUE", made["id"].as_str().unwrap());
    assert_eq!(server.raw("GET", &path, "").await.0, 200);
}

#[tokio::test]
async fn only_tools_that_were_offered_are_called() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]);
    let server = scripted(r#"steps = [{ call = "f", arguments = {} }]"#).await;
    for choice in [json!("none"), json!({"allowed_tools": {"mode": "auto", "tools": ["g"]}})] {
        let body = json!({"model": "m", "input": "x", "tools": tools,
            "generation_config": {"tool_choice": choice}});
        let (status, body) = server.post(body).await;
        assert_eq!((status, &body["status"]), (200, &json!("failed")), "{body}");
        assert_eq!(body["errors"][0]["code"], "unexpected_tool_call");
    }
    let body = json!({"model": "m", "input": "x", "tools": tools});
    assert_eq!(server.post(body).await.1["status"], "requires_action");
}

#[tokio::test]
async fn a_cancelled_turn_s_calls_need_no_answer() {
    let server =
        scripted(r#"steps = [{ call = "f", arguments = {} }, { sleep_ms = 60000 }]"#).await;
    let request = CreateInteraction::new("m", "x").tools(vec![Function::new("f").into()]);
    let begun = server.client.create(request.background(true)).await.unwrap();
    while server.client.get(&begun.id).await.unwrap().steps.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cancelled = server.client.cancel(&begun.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    let next = CreateInteraction::new("scripted", "never mind").previous_interaction_id(&begun.id);
    assert_eq!(server.client.create(next).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn agents_show_no_keys() {
    let config: Config = toml::from_str(
        r#"
        [[agents]]
        id = "helper"
        model = "scripted"
        tools = [
            { type = "mcp_server", name = "m", url = "https://u:hush@example.com/mcp?key=hush", headers = { authorization = "hush" } },
            { type = "retrieval", exa_ai_search_config = { api_key = "hush" } },
        ]
        "#,
    )
    .unwrap();
    let server = Harness::with(config).await;
    for path in ["/v1/agents", "/v1/agents/helper"] {
        let (status, body) = server.raw("GET", path, "").await;
        assert_eq!(status, 200);
        assert!(!body.to_string().contains("hush"), "{body}");
        assert!(body.to_string().contains("https://example.com/mcp"), "{body}");
    }
}
