//! Against the protocol's own reference server, when one is there.
//!
//! `INTERACTIONS_MCP_EVERYTHING` is the address of `@modelcontextprotocol/server-everything`
//! started as `streamableHttp`; `INTERACTIONS_MCP_EVERYTHING_STDIO` the command that starts it on
//! standard input and output, split at spaces. Without them the tests pass and say so.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use interactions_mcp::{McpCommand, McpEndpoint, McpErrorKind, McpServer};
use interactions_transport::{ReqwestTransport, SharedTransport};
use interactions_types::Content;
use serde_json::{Map, Value, json};

const LIMIT: Duration = Duration::from_secs(20);

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}

async fn text(server: &McpServer, tool: &str, arguments: Value) -> String {
    let reply = server.call(tool, object(arguments), LIMIT).await.unwrap();
    assert!(!reply.is_error, "{reply:?}");
    reply.into_output().to_text()
}

async fn check(server: &McpServer) {
    let tools = server.tools().await.unwrap();
    let echo = tools.iter().find(|tool| tool.name == "echo").expect("it has an echo tool");
    assert_eq!(echo.input_schema["type"], "object");

    let unicode = "h\u{e9}llo \u{1f30d}\nline two";
    assert_eq!(text(server, "echo", json!({"message": unicode})).await, format!("Echo: {unicode}"));
    assert!(text(server, "get-sum", json!({"a": 2, "b": 40})).await.contains("42"));

    let reply = server.call("get-tiny-image", Map::new(), LIMIT).await.unwrap();
    let image = reply.content.iter().find_map(|content| match content {
        Content::Image(image) => image.data.as_deref(),
        _ => None,
    });
    assert!(image.is_some_and(|data| data.starts_with("iVBOR")), "{:?}", reply.content);

    let reply =
        server.call("get-structured-content", object(json!({"location": "Chicago"})), LIMIT);
    let reply = reply.await.unwrap();
    assert!(reply.structured.is_some_and(|structured| structured["temperature"].is_number()));

    let links = text(server, "get-resource-links", json!({"count": 2})).await;
    assert!(links.contains("demo://"), "{links}");
    let resource = json!({"resourceType": "Text", "resourceId": 1});
    let embedded = text(server, "get-resource-reference", resource).await;
    assert!(embedded.contains("Resource 1"), "{embedded}");

    let resources = server.resources().await.unwrap();
    let first = resources.first().expect("it has resources");
    assert!(!server.read_resource(&first.uri).await.unwrap().is_empty(), "{first:?}");
    let prompts = server.prompts().await.unwrap();
    let plain = prompts.iter().find(|prompt| prompt.arguments.is_empty()).expect("a plain prompt");
    let messages = server.prompt(&plain.name, Map::new()).await.unwrap();
    assert!(messages.iter().any(|message| message.role == "user"), "{messages:?}");

    // Progress notifications come before the reply.
    let long = json!({"duration": 1, "steps": 4});
    assert!(text(server, "trigger-long-running-operation", long).await.contains("completed"));

    // A wrong argument or name is either an error reply or a result that is an error.
    for (tool, arguments) in [("echo", json!({"message": 1})), ("no-such-tool", json!({}))] {
        match server.call(tool, object(arguments), LIMIT).await {
            Ok(reply) => assert!(reply.is_error, "{reply:?}"),
            Err(error) => assert_eq!(error.kind(), McpErrorKind::Rejected, "{error}"),
        }
    }

    let endless = object(json!({"duration": 60, "steps": 6}));
    let call = server.call("trigger-long-running-operation", endless, Duration::from_millis(300));
    assert_eq!(call.await.unwrap_err().kind(), McpErrorKind::Timeout);

    let calls = (0..20).map(|n| async move {
        let said = text(server, "echo", json!({"message": n.to_string()})).await;
        assert_eq!(said, format!("Echo: {n}"));
    });
    futures::future::join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http() {
    let Ok(url) = std::env::var("INTERACTIONS_MCP_EVERYTHING") else {
        println!("skipped: INTERACTIONS_MCP_EVERYTHING names no server");
        return;
    };
    let transport = SharedTransport::new(ReqwestTransport::new().unwrap());
    let endpoint = McpEndpoint::http(&url).unwrap().name("everything");
    let server = McpServer::connect(endpoint, transport, LIMIT).await.unwrap();
    check(&server).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_standard_input_and_output() {
    let Ok(command) = std::env::var("INTERACTIONS_MCP_EVERYTHING_STDIO") else {
        println!("skipped: INTERACTIONS_MCP_EVERYTHING_STDIO names no command");
        return;
    };
    let mut words = command.split_whitespace();
    let program = words.next().expect("the command has a program");
    let command = McpCommand::new(program, words).name("everything");
    let server = McpServer::spawn(command, LIMIT).await.unwrap();
    check(&server).await;
    server.shutdown().await;
}
