//! Failures, callers who go away, and hosts that stop: nothing is lost and nobody waits for ever.

mod harness;

use std::time::{Duration, Instant};

use harness::{Place, message};
use http::Method;
use interactions_a2a::A2aHost;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("it takes too long")
}

#[tokio::test]
async fn a_failed_interaction_is_a_failed_task_at_once() {
    let place = Place::new().await;
    let task = soon(place.send("fail now", json!({}))).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_FAILED", "{task}");
    let request = message("fail now", json!({}));
    let events = soon(place.stream("/message:stream", &[], &request)).await;
    let last = &events.last().unwrap().1["statusUpdate"]["status"];
    assert_eq!(last["state"], "TASK_STATE_FAILED", "{events:?}");
    assert_eq!(last["message"]["parts"][0]["text"], "The agent failed.");
    place.close().await;
}

#[tokio::test]
async fn credentials_that_are_missing_can_be_given() {
    let place = Place::new().await;
    let task = soon(place.send("this needs credentials", json!({}))).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let done = soon(place.send("they are there now", json!({"taskId": task["id"]}))).await;
    assert_eq!(done["status"]["state"], "TASK_STATE_COMPLETED", "{done}");
    assert_eq!(done["id"], task["id"]);
    assert!(harness::text(&done).contains("they are there now"), "{done}");
    place.close().await;
}

#[tokio::test]
async fn callers_who_go_away_leave_no_task_behind() {
    let place = Place::new().await;
    for number in 0..60_u32 {
        let body = message("hello", json!({"messageId": format!("gone-{number}")}));
        let send = place.rest(Method::POST, "/message:send", &body);
        // As soon as it may be, and at every moment after it.
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(number) * 60), send).await;
    }
    let begun = Instant::now();
    loop {
        let (_, page) = place.rest(Method::GET, "/tasks?pageSize=100", &Value::Null).await;
        let tasks = page["tasks"].as_array().unwrap().clone();
        let open = |task: &&Value| task["status"]["state"] != "TASK_STATE_COMPLETED";
        let left: Vec<&Value> = tasks.iter().filter(open).collect();
        if left.is_empty() {
            assert!(!tasks.is_empty(), "none of them came through");
            break;
        }
        assert!(begun.elapsed() < SOON, "{} are left: {}", left.len(), left[0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Who sends it again gets the task, whatever became of the first time.
    let again = soon(place.send("hello", json!({"messageId": "gone-3"}))).await;
    assert_eq!(again["status"]["state"], "TASK_STATE_COMPLETED");
    place.close().await;
}

#[tokio::test]
async fn a_stop_waits_for_nobody() {
    let place = Place::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/message:send", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let host = place.host.clone();
    let served = tokio::spawn(async move {
        let stopped = async move { drop(stopped.await) };
        host.serve(listener, stopped).await
    });
    let waits = tokio::spawn(async move {
        use interactions_transport::{Body, ReqwestTransport, Transport};
        let request = http::Request::post(url)
            .header("a2a-version", "1.0")
            .header("content-type", "application/json")
            .body(Body::from(message("wait 60", json!({})).to_string()))
            .unwrap();
        let answer = ReqwestTransport::new().unwrap().send(request).await.unwrap();
        let body = answer.into_body().collect(1 << 20).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send(()).unwrap();
    soon(served).await.unwrap().unwrap();
    let answer = soon(waits).await.unwrap();
    assert_eq!(answer["task"]["status"]["state"], "TASK_STATE_WORKING", "as it is: {answer}");
    place.close().await;
}

#[tokio::test]
async fn a_task_that_was_stopped_while_it_waited_its_turn_holds_up_nobody() {
    let place = Place::new().await;
    let now = json!({"contextId": "c", "configuration": {"returnImmediately": true}});
    let first = place.send("wait 1", now.clone()).await;
    let second = place.send("hello", now.clone()).await;
    let third = place.send("hello again", now).await;
    let id = |task: &Value| task["id"].as_str().unwrap().to_owned();
    let path = format!("/tasks/{}:cancel", id(&second));
    let (_, stopped) = soon(place.rest(Method::POST, &path, &json!({}))).await;
    assert_eq!(stopped["status"]["state"], "TASK_STATE_CANCELED");
    place.task(&id(&first), "TASK_STATE_COMPLETED").await;
    place.task(&id(&third), "TASK_STATE_COMPLETED").await;
    place.close().await;
}

#[tokio::test]
async fn a_question_to_a_task_that_is_to_stop_is_not_asked() {
    let place = Place::new().await;
    let task = place.send("ask a human", json!({})).await;
    let path = format!("/tasks/{}:cancel", task["id"].as_str().unwrap());
    let (_, stopped) = soon(place.rest(Method::POST, &path, &json!({}))).await;
    assert_eq!(stopped["status"]["state"], "TASK_STATE_CANCELED");
    let asked = stopped["history"].as_array().unwrap().len();
    assert_eq!(asked, 2, "what was said, and what was asked: {stopped}");
    place.close().await;
}

#[tokio::test]
async fn a_page_of_a_stranger_cannot_use_an_open_host() {
    let place = Place::with(|host: A2aHost| host.base_url("http://127.0.0.1:4000")).await;
    let send = |headers: Vec<(&'static str, &'static str)>| {
        let body = message("hello", json!({}));
        let place = &place;
        async move {
            let headers = [vec![("a2a-version", "1.0")], headers].concat();
            place.raw(Method::POST, "/message:send", &headers, &body).await.0.as_u16()
        }
    };
    assert_eq!(send(vec![("host", "127.0.0.1:4000")]).await, 200);
    assert_eq!(send(vec![("host", "evil.example:4000")]).await, 403);
    let strange = vec![("host", "127.0.0.1:4000"), ("origin", "https://evil.example")];
    assert_eq!(send(strange).await, 403);
    place.close().await;
}
