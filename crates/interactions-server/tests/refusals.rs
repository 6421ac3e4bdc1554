//! Bad input: every refusal names what is wrong and where, and nothing breaks.

mod harness;

use harness::Harness;
use interactions_server::Config;
use interactions_testing::{ChatStub, Dialect};
use interactions_types::{CreateInteraction, Status};
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
