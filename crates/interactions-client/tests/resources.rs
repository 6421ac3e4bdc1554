//! The calls on everything but interactions: their addresses, bodies and pages.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use interactions_client::{Client, Error, TransportErrorKind};
use interactions_testing::{Capture, Reply, capture, fixtures};
use interactions_transport::Body;
use interactions_types::{
    Agent, CreateDecisionRequest, CreateEnvironmentRequest, CreateInteraction, CreateVoiceRequest,
    HttpBearerConfig, HttpBearerUpdateConfig, RevocationBehavior, TriggerCreateParams,
    TriggerStatus, TriggerUpdate, VoiceInput, VoiceType, WebhookEventType, WebhookInput,
    WebhookState, WebhookUpdate,
};
use serde_json::{Value, json};

fn client(service: &Capture) -> Client {
    let builder = Client::builder().api_key("key").base_url("http://h/prefix");
    builder.transport(service.transport()).build().expect("a client")
}

/// Makes one call that is answered with `reply`, and gives what was sent.
async fn sent<T>(
    reply: &str,
    call: impl AsyncFnOnce(Client) -> Result<T, Error>,
) -> (String, Value) {
    let service = capture([reply]);
    call(client(&service)).await.expect("the call succeeds");
    let request = service.requests().remove(0);
    let path = request.uri.path_and_query().expect("a path").as_str();
    let path = path.strip_prefix("/prefix/v1/").expect("the base");
    (format!("{} {path}", request.method), request.json())
}

#[tokio::test]
async fn every_call_has_its_address_and_body() {
    let ok = "{}";
    let (line, body) =
        sent(r#"{"id":"a"}"#, async |c| c.agents().create(&Agent::new("a")).await).await;
    assert_eq!((line.as_str(), body), ("POST agents", json!({"id": "a"})));
    let id = r#"{"id":"x"}"#;
    for (line, expected) in [
        (sent(id, async |c| c.agents().get("a/b").await).await.0, "GET agents/a%2Fb"),
        (sent(ok, async |c| c.agents().delete("a").await).await.0, "DELETE agents/a"),
        (
            sent(ok, async |c| c.agents().list().page_size(5).await).await.0,
            "GET agents?page_size=5",
        ),
        (
            sent(ok, async |c| c.agents().list().parent("projects/p").await).await.0,
            "GET agents?parent=projects%2Fp",
        ),
        (sent(id, async |c| c.environments().get("e").await).await.0, "GET environments/e"),
        (sent(ok, async |c| c.environments().delete("e").await).await.0, "DELETE environments/e"),
        (
            sent(id, async |c| c.environments().get("environments/e").await).await.0,
            "GET environments/e",
        ),
        (
            sent(ok, async |c| c.environments().delete("environments/e").await).await.0,
            "DELETE environments/e",
        ),
        (sent(ok, async |c| c.environments().list().await).await.0, "GET environments"),
        (
            sent(ok, async |c| c.triggers().list().filter("a=1").await).await.0,
            "GET triggers?filter=a%3D1",
        ),
        (sent(ok, async |c| c.triggers().delete("t").await).await.0, "DELETE triggers/t"),
        (
            sent(r#"{"id":"r","trigger_id":"t"}"#, async |c| c.triggers().run("t").await).await.0,
            "POST triggers/t/executions",
        ),
        (
            sent(ok, async |c| c.triggers().executions("t").await).await.0,
            "GET triggers/t/executions",
        ),
        (sent(id, async |c| c.stored_credentials().get("k").await).await.0, "GET credentials/k"),
        (sent(ok, async |c| c.stored_credentials().list().await).await.0, "GET credentials"),
        (
            sent(ok, async |c| c.stored_credentials().delete("k").await).await.0,
            "DELETE credentials/k",
        ),
        (
            sent(r#"{"type":"prebuilt"}"#, async |c| c.voices().get("v").await).await.0,
            "GET voices/v",
        ),
        (sent(ok, async |c| c.voices().list().await).await.0, "GET voices"),
        (sent(ok, async |c| c.voices().delete("v").await).await.0, "DELETE voices/v"),
        (
            sent(r#"{"uri":"u","subscribed_events":[]}"#, async |c| c.webhooks().get("w").await)
                .await
                .0,
            "GET webhooks/w",
        ),
        (sent(ok, async |c| c.webhooks().list().await).await.0, "GET webhooks"),
        (sent(ok, async |c| c.webhooks().delete("w").await).await.0, "DELETE webhooks/w"),
        (sent(ok, async |c| c.webhooks().ping("w").await).await.0, "POST webhooks/w:ping"),
    ] {
        assert_eq!(line, expected);
    }
}

#[tokio::test]
async fn bodies_say_what_was_set_and_updates_name_their_fields() {
    let id = r#"{"id":"x"}"#;
    let copy = CreateEnvironmentRequest::new().from_environment("e1");
    let (line, body) = sent(id, async |c| c.environments().create(&copy).await).await;
    assert_eq!((line.as_str(), body), ("POST environments", json!({"from_environment": "e1"})));

    let asked = CreateInteraction::new(interactions_types::Target::agent("a"), "go");
    let trigger = TriggerCreateParams::new(Box::new(asked), "0 9 * * *", "Europe/Rome");
    let reply = r#"{"id":"t","interaction":{"agent":"a"},"schedule":"s","time_zone":"z"}"#;
    let (line, body) = sent(reply, async |c| c.triggers().create(&trigger).await).await;
    assert_eq!(line, "POST triggers");
    assert_eq!(body["interaction"], json!({"agent": "a", "input": "go"}));
    let pause = TriggerUpdate::new().status(TriggerStatus::Paused);
    let (line, body) = sent(reply, async |c| c.triggers().update("t", &pause).await).await;
    assert_eq!(
        (line.as_str(), body),
        ("PATCH triggers/t?update_mask=status", json!({"status": "paused"}))
    );

    let more = async |c: Client| {
        c.triggers().update("t", &pause).extra_body("priority", 1).extra_body("status", "x").await
    };
    let (line, body) = sent(reply, more).await;
    assert_eq!(line, "PATCH triggers/t?update_mask=status%2Cpriority");
    assert_eq!(body, json!({"status": "x", "priority": 1}));

    let secret = HttpBearerConfig::new("k", "hush");
    assert!(!format!("{secret:?}").contains("hush"));
    let (line, body) = sent(id, async |c| c.stored_credentials().create(secret).await).await;
    assert_eq!(line, "POST credentials");
    assert_eq!(body, json!({"type": "bearer_token", "id": "k", "token": "hush"}));
    let change = HttpBearerUpdateConfig::new().token("new").prefix("");
    let (line, body) = sent(id, async |c| c.stored_credentials().update("k", change).await).await;
    assert_eq!(line, "PATCH credentials/k?update_mask=token%2Cprefix");
    assert_eq!(body["type"], "bearer_token");

    let voice = CreateVoiceRequest::new(VoiceInput::new(VoiceType::Prompted));
    let (line, body) =
        sent(r#"{"type":"prompted"}"#, async |c| c.voices().create(&voice).await).await;
    assert_eq!((line.as_str(), body), ("POST voices", json!({"voice": {"type": "prompted"}})));

    let hook = WebhookInput::new(vec![WebhookEventType::InteractionCompleted], "https://x/hook");
    let reply =
        r#"{"uri":"https://x/hook","subscribed_events":[],"new_signing_secret":"whsec_hush"}"#;
    let (line, body) = sent(reply, async |c| {
        let made = c.webhooks().create(&hook).await?;
        assert_eq!(made.new_signing_secret.as_deref(), Some("whsec_hush"));
        assert!(!format!("{made:?}").contains("hush"));
        Ok(())
    })
    .await;
    assert_eq!(
        (line.as_str(), &body["subscribed_events"]),
        ("POST webhooks", &json!(["interaction.completed"]))
    );
    let off = WebhookUpdate::new().state(WebhookState::Disabled);
    let (line, _) = sent(reply, async |c| c.webhooks().update("w", &off).await).await;
    assert_eq!(line, "PATCH webhooks/w?update_mask=state");
    let at_once = Some(RevocationBehavior::RevokePreviousSecretsImmediately);
    let (line, body) = sent(r#"{"secret":"s"}"#, async |c| {
        c.webhooks().rotate_signing_secret("w", at_once.clone()).await
    })
    .await;
    assert_eq!(line, "POST webhooks/w:rotateSigningSecret");
    assert_eq!(body, json!({"revocation_behavior": "revoke_previous_secrets_immediately"}));

    let ask = CreateDecisionRequest::new("m", "text", []);
    let (line, _) = sent("{}", async |c| c.decide(&ask).await).await;
    assert_eq!(line, "POST decisions");
}

#[tokio::test]
async fn files_are_listed_read_and_written() {
    let page = |names: &[&str], next: &str| {
        let files: Vec<_> =
            names.iter().map(|name| json!({"name": name, "type": "file"})).collect();
        Reply::json(json!({"files": files, "next_page_token": next}).to_string())
    };
    let service = capture([
        page(&["a", "b"], "n"),
        page(&["c"], ""),
        Reply::json("the bytes"),
        Reply::json("")
            .header("x-goog-upload-url", "https://elsewhere.example/upload/v1/s?upload_id=7"),
        page(&["d"], ""),
        Reply::json("").header("x-goog-upload-url", "http://h/upload/v1/s?upload_id=8"),
        Reply::failure(TransportErrorKind::Connect),
        page(&["e"], ""),
    ]);
    let files = client(&service).environments().files("environments/env 1");
    let listed: Vec<_> = files.list("src/").recursive().items().try_collect().await.unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(files.download("/src/main.rs").await.unwrap(), "the bytes");
    let upload = files.upload("src/new file.rs", "fn main() {}").content_type("text/x-rust");
    assert_eq!(upload.overwrite().await.unwrap().files.len(), 1);
    let stream = || Body::stream(futures::stream::iter([Ok(Bytes::from("tar"))]));
    let upload = files.upload_stream("", 3, stream).extract();
    let fast = interactions_client::Backoff::default().initial(Duration::ZERO);
    upload.with_retry(fast).await.unwrap();

    let requests = service.requests();
    let lines: Vec<_> = requests.iter().map(|r| format!("{} {}", r.method, r.uri)).collect();
    assert_eq!(
        lines,
        [
            "GET http://h/prefix/v1/environments/env%201/files/src?recursive=true",
            "GET http://h/prefix/v1/environments/env%201/files/src?recursive=true&page_token=n",
            "GET http://h/prefix/v1/environments/env%201/files/src/main.rs?alt=media",
            "PUT http://h/prefix/upload/v1/environments/env%201/files/src/new%20file.rs?overwrite=true",
            "POST http://h/upload/v1/s?upload_id=7",
            "PUT http://h/prefix/upload/v1/environments/env%201/files?extract=true",
            "POST http://h/upload/v1/s?upload_id=8",
            "POST http://h/upload/v1/s?upload_id=8",
        ]
    );
    let (start, send) = (&requests[3], &requests[4]);
    for (name, value) in [
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "start"),
        ("x-goog-upload-header-content-length", "12"),
        ("x-goog-upload-header-content-type", "text/x-rust"),
    ] {
        assert_eq!(start.headers[name], value);
    }
    assert_eq!(send.headers["x-goog-upload-command"], "upload, finalize");
    assert_eq!(
        (&send.headers["content-type"], &send.body[..]),
        (&"text/x-rust".parse().unwrap(), &b"fn main() {}"[..])
    );
    assert_eq!(requests[7].body, "tar", "a streamed body is made anew for every try");
}

#[tokio::test]
async fn a_file_goes_nowhere_without_an_address() {
    let service = capture(["{}"]);
    let files = client(&service).environments().files("e");
    let error = files.upload("a", "b").await.unwrap_err();
    assert!(error.to_string().contains("x-goog-upload-url"), "{error}");
    let error = files.download("../../secret").await.unwrap_err();
    assert!(error.to_string().contains("`..`"), "{error}");
}

#[tokio::test]
async fn agents_are_listed_in_both_forms_that_the_service_documents() {
    for fixture in fixtures("resp_agents_list") {
        let service = capture([fixture.text, "{}"]);
        let agents: Vec<Agent> =
            client(&service).agents().list().items().try_collect().await.unwrap();
        assert!(!agents.is_empty(), "{}", fixture.name);
        assert!(agents.iter().all(|agent| !agent.id.as_str().is_empty()), "{}", fixture.name);
    }
}

fn place() -> Reply {
    Reply::json("").header("x-goog-upload-url", "http://h/upload?upload_id=1")
}

#[tokio::test]
async fn an_upload_s_answer_may_have_each_of_its_forms() {
    for (answer, name) in [
        (r#"{"files": [{"name": "a", "type": "file"}]}"#, "a"),
        (r#"{"name": "b", "type": "file"}"#, "b"),
        (r#"{"file": {"name": "c", "path": "x/c"}}"#, "c"),
    ] {
        let done = Reply::json(answer).header("x-goog-upload-status", "final");
        let service = capture([place(), done]);
        let files = client(&service).environments().files("e");
        let stored = files.upload("a", "x").await.unwrap().files;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].name.as_deref(), Some(name));
    }
    let refused = [
        (Reply::json("{}"), "which files"),
        (Reply::json(r#"{"files": []}"#).header("x-goog-upload-status", "active"), "`active`"),
    ];
    for (answer, why) in refused {
        let service = capture([place(), answer]);
        let files = client(&service).environments().files("e");
        let error = files.upload("a", "x").await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn streamed_content_must_be_as_long_as_it_was_said_to_be() {
    for length in [2, 4] {
        let service = capture([place(), Reply::json(r#"{"files": []}"#)]);
        let files = client(&service).environments().files("e");
        let content = || Body::stream(futures::stream::iter([Ok(Bytes::from("tar"))]));
        let error = files.upload_stream("a", length, content).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{length} bytes")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_that_stalls_ends_with_its_time_limit() {
    let limit = Duration::from_secs(5);
    let stalled = || Reply::json("the bytes").silent_after(3);
    // Awaited whole it is tried again, each time within the same limit.
    let service = capture([stalled(), stalled(), stalled()]);
    let files = client(&service).environments().files("e");
    let error = files.download("a").with_timeout(limit).await.unwrap_err();
    assert!(error.to_string().contains("time limit"), "{error}");

    let service = capture([stalled()]);
    let files = client(&service).environments().files("e");
    let mut body = files.download("a").with_timeout(limit).body().await.unwrap();
    assert_eq!(body.try_next().await.unwrap().unwrap(), "the");
    let error = body.try_next().await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
    assert!(body.try_next().await.unwrap().is_none(), "the error is the end");

    let service = capture([Reply::json("the bytes").in_pieces_of(2)]);
    let files = client(&service).environments().files("e");
    let body = files.download("a").with_timeout(limit).body().await.unwrap();
    assert_eq!(body.collect(100).await.unwrap(), "the bytes");
}

#[tokio::test]
async fn a_download_that_breaks_off_is_asked_for_again() {
    let service = capture([Reply::json("the bytes").cut_after(3), Reply::json("the bytes")]);
    let files = client(&service).environments().files("e");
    let fast = interactions_client::Backoff::default().initial(Duration::ZERO);
    assert_eq!(files.download("a").with_retry(fast).await.unwrap(), "the bytes");
}
