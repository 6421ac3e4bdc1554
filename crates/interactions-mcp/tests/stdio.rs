//! Local servers: shell scripts stand in for them.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::time::Duration;

use interactions_mcp::{McpCommand, McpErrorKind, McpServer};
use serde_json::Map;

const LIMIT: Duration = Duration::from_secs(20);

/// Answers the greeting, then runs `$TOOL` for each tool call, with the request's id in `$id`.
const SERVER: &str = r#"
echo "not a message"
printf 'not \377 UTF-8 \377\n'
echo '{"jsonrpc":"2.0","method":"notifications/of_tomorrow","params":{}}'
say() { printf '%s\n' "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) say '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}' ;;
    *'"tools/list"'*) say '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}}' ;;
    *'"tools/call"'*) eval "$TOOL" ;;
  esac
done
eval "$AT_END"
"#;

fn command(tool: &str) -> McpCommand {
    McpCommand::new("sh", ["-c", SERVER]).name("script").env("TOOL", tool).reply_limit(4096)
}

fn text_reply(text: &str) -> String {
    format!(
        r#"say '{{"jsonrpc":"2.0","id":'$id',"result":{{"content":[{{"type":"text","text":"'"{text}"'"}}]}}}}'"#
    )
}

async fn call(server: &McpServer) -> Result<String, interactions_mcp::McpError> {
    server.call("t", Map::new(), LIMIT).await.map(|reply| reply.into_output().to_text())
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("interactions-mcp-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Whether a process runs; one that has exited and waits to be collected does not.
fn runs(process: &str) -> bool {
    let state = std::process::Command::new("ps").args(["-o", "stat=", "-p", process]).output();
    let state = state.unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

async fn eventually(what: &str, done: impl Fn() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen");
}

#[tokio::test]
async fn talks_to_a_process_that_also_prints_garbage() {
    let server = McpServer::spawn(command(&text_reply("hello")), LIMIT).await.unwrap();
    assert_eq!(server.tools().await.unwrap()[0].name, "t");
    assert_eq!(call(&server).await.unwrap(), "hello");
    server.shutdown().await;
    let error = call(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (McpErrorKind::Closed, false));
}

#[tokio::test]
async fn a_reply_that_is_not_utf8_or_not_mcp_does_not_hang() {
    let spoilt = r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"\377"}]}}\n' $id"#;
    let server = McpServer::spawn(command(spoilt), LIMIT).await.unwrap();
    assert_eq!(call(&server).await.unwrap(), "\u{fffd}");

    let wrong = r#"say '{"jsonrpc":"2.0","id":'$id',"outcome":1}'"#;
    let server = McpServer::spawn(command(wrong), LIMIT).await.unwrap();
    let error = call(&server).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_reply_that_is_too_large_fails_only_its_call() {
    let big = format!(
        "if [ -z $once ]; then once=1; big=$(printf '%05000d' 0); {}; else {}; fi",
        text_reply("$big"),
        text_reply("small")
    );
    let server = McpServer::spawn(command(&big), LIMIT).await.unwrap();
    let error = call(&server).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("limit of 4096 bytes"), "{error}");
    assert_eq!(call(&server).await.unwrap(), "small");
}

#[tokio::test]
async fn a_process_that_dies_tells_its_last_words() {
    let dies = "echo 'out of paper' >&2; sleep 0.2; exit 3";
    let server = McpServer::spawn(command(dies), LIMIT).await.unwrap();
    let error = call(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (McpErrorKind::Closed, true));
    assert!(error.to_string().contains("(exit status: 3); the last line of its log: out of paper"));
    eventually("closing", || server.is_closed()).await;

    let command = McpCommand::new("sh", ["-c", "echo 'no configuration' >&2; sleep 0.2; exit 4"]);
    let error = McpServer::spawn(command, LIMIT).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Connect);
    assert_eq!(
        error.to_string(),
        "MCP server `sh` (sh): the process has exited (exit status: 4); the last line of its log: \
         no configuration"
    );
}

#[tokio::test]
async fn a_command_that_does_not_exist_says_so() {
    let command = McpCommand::new("no-such-program-4711", [""; 0]);
    let error = McpServer::spawn(command, LIMIT).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Connect);
    assert!(error.to_string().contains("is it installed and in PATH?"), "{error}");
}

#[tokio::test]
async fn a_process_that_says_nothing_is_not_waited_for() {
    let command = McpCommand::new("sleep", ["60"]);
    let error = McpServer::spawn(command, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), McpErrorKind::Timeout);
}

#[tokio::test]
async fn our_environment_is_not_the_childs() {
    // Cargo sets this for tests; it stands for any key that a program may hold.
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
    let tool = text_reply("[$CARGO_PKG_NAME][$GIVEN][${PATH:+path}]");
    let server = McpServer::spawn(command(&tool).env("GIVEN", "yes"), LIMIT).await.unwrap();
    assert_eq!(call(&server).await.unwrap(), "[][yes][path]");
}

#[tokio::test]
async fn a_process_may_end_in_its_own_way_before_it_is_killed() {
    let marker = scratch("graceful");
    let at_end = format!("echo done > {}", marker.display());
    let command = command("").env("AT_END", at_end);
    let server = McpServer::spawn(command, LIMIT).await.unwrap();
    server.shutdown().await;
    assert!(marker.exists());
    let _ = std::fs::remove_file(&marker);
}

#[tokio::test]
async fn a_process_goes_with_its_children_when_shut_down_or_dropped() {
    for shut_down in [true, false] {
        let pids = scratch(&format!("pids-{shut_down}"));
        // It ignores the end of its input and polite signals, and has a child that does too.
        let at_end =
            format!("trap '' TERM; sleep 300 & echo $$ $! > {}; sleep 300", pids.display());
        let server = McpServer::spawn(command("").env("AT_END", at_end), LIMIT).await.unwrap();
        if shut_down {
            server.shutdown().await;
        } else {
            drop(server);
        }
        let mut processes = String::new();
        for _ in 0..200 {
            processes = std::fs::read_to_string(&pids).unwrap_or_default();
            if processes.ends_with('\n') {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let processes: Vec<_> = processes.split_whitespace().collect();
        assert_eq!(processes.len(), 2);
        eventually("their end", || !processes.iter().any(|process| runs(process))).await;
        let _ = std::fs::remove_file(&pids);
    }
}
