//! What a call can be told, and what it tells.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use interactions_client::{AccessToken, Client, ErrorKind, TokenError, TokenProvider};
use interactions_testing::{Capture, Reply, capture};
use interactions_transport::Timeouts;
use interactions_types::CreateInteraction;
use serde_json::json;
use tokio::time::Instant;

const DONE: &str = r#"{"id":"v1_x","status":"completed"}"#;

fn client(service: &Capture) -> Client {
    Client::builder().api_key("key").transport(service.transport()).build().expect("a client")
}

#[tokio::test]
async fn options_ride_beside_the_request() {
    let service = capture([DONE, DONE, DONE]);
    let client = client(&service);
    client
        .create(CreateInteraction::new("m", "x"))
        .extra_header("x-tag", "7")
        .extra_header("user-agent", "mine")
        .extra_query("trace", "a b")
        .extra_body("novel", json!({"a": 1}))
        .extra_body("store", false)
        .await
        .unwrap();
    client.cancel("v1_x").extra_body("reason", "late").await.unwrap();
    client.get("v1_x").include_input().await.unwrap();

    let [create, cancel, get] = &service.requests()[..] else { panic!("three requests") };
    assert_eq!(create.headers["x-goog-api-key"], "key");
    assert_eq!(
        (&create.headers["x-tag"], &create.headers["user-agent"]),
        (&"7".parse().unwrap(), &"mine".parse().unwrap())
    );
    assert_eq!(create.uri.query(), Some("trace=a+b"));
    assert_eq!(
        create.json(),
        json!({"model": "m", "input": "x", "novel": {"a": 1}, "store": false})
    );
    assert_eq!(cancel.json(), json!({"reason": "late"}));
    assert!(cancel.uri.path().ends_with("/v1/interactions/v1_x/cancel"));
    assert_eq!(get.uri.query(), Some("include_input=true"));
    assert!(get.body.is_empty());
}

#[tokio::test]
async fn options_that_cannot_be_sent_are_errors_before_anything_is() {
    let service = capture([DONE]);
    let client = client(&service);
    let error = client.get("v1_x").extra_header("bad name", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    let error = client.delete("v1_x").extra_body("a", 1).await.unwrap_err();
    assert!(error.to_string().contains("no body"), "{error}");
    for id in ["", ".", ".."] {
        assert_eq!(client.get(id).await.unwrap_err().kind(), ErrorKind::Request);
    }
    assert!(service.requests().is_empty());
}

#[tokio::test]
async fn the_raw_response_is_there_when_wanted() {
    let body = r#"{"id":"v1_x","status":"completed","novel":[1]}"#;
    let service = capture([Reply::json(body).header("x-request-id", "r-1")]);
    let reply = client(&service).get("v1_x").with_reply().await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.request_id().as_deref()), (200, Some("r-1")));
    assert_eq!(reply.body, body);
    assert_eq!(reply.value.id.as_str(), "v1_x");
    assert_eq!(reply.headers["content-type"], "application/json");
}

/// Hands out `t1`, `t2`, … and remembers what was refused.
#[derive(Default)]
struct Counting {
    issued: AtomicU32,
    refused: Mutex<Vec<AccessToken>>,
}

#[async_trait]
impl TokenProvider for &'static Counting {
    async fn token(&self, refused: Option<&AccessToken>) -> Result<AccessToken, TokenError> {
        self.refused.lock().expect("no test panics here").extend(refused.cloned());
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        if number > 9 {
            return Err("the account is closed".into());
        }
        Ok(AccessToken::new(format!("t{number}")).quota_project("bill-me"))
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let unauthorized = || Reply::error(401, "authentication", "expired");
    let provider: &'static Counting = Box::leak(Box::default());
    let service = capture([unauthorized(), DONE.into(), unauthorized(), unauthorized()]);
    let client = Client::builder()
        .token_provider(provider)
        .vertex("p", "us-central1")
        .transport(service.transport())
        .build()
        .unwrap();
    client.get("v1_x").await.unwrap();
    let sent: Vec<_> =
        service.requests().iter().map(|request| request.headers["authorization"].clone()).collect();
    assert_eq!(sent, ["Bearer t1", "Bearer t2"]);
    assert_eq!(service.requests()[0].headers["x-goog-user-project"], "bill-me");
    assert!(service.requests()[0].uri.to_string().starts_with(
        "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1/"
    ));
    assert_eq!(
        *provider.refused.lock().unwrap(),
        [AccessToken::new("t1").quota_project("bill-me")]
    );

    let error = client.get("v1_x").await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(!format!("{error:?} {error}").contains("t4"), "{error:?}");

    provider.issued.store(9, Ordering::Relaxed);
    let error = client.get("v1_x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("the account is closed"), "{error}");
}

#[tokio::test]
async fn who_brings_credentials_is_not_given_others() {
    let service = capture([DONE, DONE, DONE]);
    let client = client(&service);
    client.get("v1_x").extra_header("authorization", "Bearer mine").await.unwrap();
    client.get("v1_x").extra_header("X-Goog-Api-Key", "other").await.unwrap();
    client.get("v1_x").await.unwrap();
    let seen = |name: &str| -> Vec<_> {
        let requests = service.requests();
        requests.iter().map(|request| request.headers.get(name).cloned()).collect()
    };
    let value = |text: &'static str| Some(http::HeaderValue::from_static(text));
    assert_eq!(seen("x-goog-api-key"), [None, value("other"), value("key")]);
    assert_eq!(seen("authorization"), [value("Bearer mine"), None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_client_has_headers_and_limits_for_all_its_calls() {
    let slow = || Reply::json(DONE).silent_after(3);
    let service = capture([DONE.into(), slow(), slow()]);
    let limit = |seconds| Timeouts::default().with_total(Duration::from_secs(seconds));
    let client = Client::builder()
        .header("x-team", "blue")
        .timeouts(limit(7))
        .transport(service.transport())
        .build()
        .unwrap();
    client.get("v1_x").extra_header("x-team", "red").await.unwrap();
    for (own, expected) in [(None, 7), (Some(2), 2)] {
        let begin = Instant::now();
        let mut call = client.create(CreateInteraction::new("m", "x"));
        if let Some(seconds) = own {
            call = call.with_timeout(Duration::from_secs(seconds));
        }
        assert!(call.await.unwrap_err().is_timeout());
        assert_eq!(begin.elapsed().as_secs(), expected);
    }
    let teams: Vec<_> =
        service.requests().iter().map(|request| request.headers["x-team"].clone()).collect();
    assert_eq!(teams, ["red", "blue", "blue"]);
}

fn page(ids: &[&str], next: &str) -> String {
    let entries: Vec<_> = ids.iter().map(|id| json!({"id": id, "status": "completed"})).collect();
    json!({"interaction_metadatas": entries, "next_page_token": next}).to_string()
}

#[tokio::test]
async fn a_list_is_read_page_after_page() {
    let service =
        capture([page(&["a", "b"], "p2"), page(&[], "p3"), page(&["c"], "")].map(Reply::json));
    let items = client(&service).list().page_size(2).items();
    let ids: Vec<_> = items.map_ok(|item| item.id.to_string()).try_collect().await.unwrap();
    assert_eq!(ids, ["a", "b", "c"]);
    let queries: Vec<_> =
        service.requests().iter().map(|request| request.uri.query().unwrap().to_owned()).collect();
    assert_eq!(queries, ["page_size=2", "page_size=2&page_token=p2", "page_size=2&page_token=p3"]);
}

#[tokio::test]
async fn filters_of_a_list_go_with_every_page() {
    let service = capture([page(&["a"], "p2"), page(&["b"], "")].map(Reply::json));
    let list = client(&service)
        .list()
        .label("team", "blue")
        .has_label("run")
        .created_after("2026-11-23T10:00:00+01:00")
        .created_before("2026-11-24T10:00:00Z");
    let items: Vec<_> = list.items().try_collect().await.unwrap();
    assert_eq!(items.len(), 2);
    let queries: Vec<String> = service
        .requests()
        .iter()
        .map(|request| request.uri.query().unwrap().replace("%3A", ":"))
        .collect();
    let filters = "label=team:blue&label=run&created_after=2026-11-23T10:00:00%2B01:00&created_before=2026-11-24T10:00:00Z";
    assert_eq!(queries, [filters.to_owned(), format!("{filters}&page_token=p2")]);
}

#[tokio::test]
async fn a_list_that_would_never_end_is_an_error() {
    let service =
        capture([page(&["a"], "p2"), page(&["b"], "p2"), page(&["c"], "p2")].map(Reply::json));
    let mut items = client(&service).list().items();
    let mut ids = Vec::new();
    let error = loop {
        match items.try_next().await {
            Ok(item) => ids.push(item.expect("an error before the end").id.to_string()),
            Err(error) => break error,
        }
    };
    assert_eq!(ids, ["a"]);
    assert!(error.to_string().contains("never end"), "{error}");
    assert_eq!(items.try_next().await.unwrap(), None);
}
