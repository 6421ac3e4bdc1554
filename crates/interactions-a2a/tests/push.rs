//! Push notifications as a receiver gets them, over real sockets.

mod harness;

use std::time::{Duration, Instant};

use harness::Place;
use http::Method;
use interactions_transport::guard::Guard;
use serde_json::{Value, json};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn place(receiver: &MockServer) -> Place {
    let allowed = Guard::new([receiver.address().to_string()]).expect("a guard");
    Place::with(|host| host.guard(allowed)).await
}

async fn receiver(delay: Duration) -> MockServer {
    let receiver = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_delay(delay);
    Mock::given(any()).respond_with(answer).mount(&receiver).await;
    receiver
}

/// The states that a path of the receiver was told, once `last` is among them.
async fn states(receiver: &MockServer, at: &str, last: &str) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let mut states = Vec::new();
        for request in receiver.received_requests().await.unwrap_or_default() {
            let event: Value = serde_json::from_slice(&request.body).expect("JSON");
            let state = event["statusUpdate"]["status"]["state"].as_str();
            if let Some(state) = state.filter(|_| request.url.path() == at) {
                states.push(state.trim_start_matches("TASK_STATE_").to_owned());
            }
        }
        if states.iter().any(|state| state == last) {
            return states;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{last} did not come: {states:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn with_push(receiver: &MockServer, at: &str, id: &str) -> Value {
    let config = json!({"url": format!("{}{at}", receiver.uri()), "id": id});
    json!({"configuration": {"taskPushNotificationConfig": config}})
}

async fn answer(place: &Place, asked: &Value) -> Value {
    let call = &asked["status"]["message"]["parts"][1]["data"]["id"];
    let parts = json!([{"data": {"id": call, "result": "Oslo"}}]);
    place.send("", json!({"taskId": asked["id"], "parts": parts})).await
}

#[tokio::test]
async fn an_answer_that_is_faster_than_the_receiver_loses_nothing() {
    let receiver = receiver(Duration::from_millis(700)).await;
    let place = place(&receiver).await;
    let asked = place.send("ask a human", with_push(&receiver, "/hook", "p")).await;
    assert_eq!(answer(&place, &asked).await["status"]["state"], "TASK_STATE_COMPLETED");
    let states = states(&receiver, "/hook", "COMPLETED").await;
    assert!(states.contains(&"INPUT_REQUIRED".to_owned()), "{states:?}");
    place.close().await;
}

#[tokio::test]
async fn a_stop_of_a_task_that_waits_is_told() {
    let receiver = receiver(Duration::ZERO).await;
    let place = place(&receiver).await;
    let asked = place.send("ask a human", with_push(&receiver, "/hook", "p")).await;
    states(&receiver, "/hook", "INPUT_REQUIRED").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cancel = format!("/tasks/{}:cancel", asked["id"].as_str().unwrap());
    place.rest(Method::POST, &cancel, &json!({})).await;
    let states = states(&receiver, "/hook", "CANCELED").await;
    assert_eq!(states.iter().filter(|state| *state == "CANCELED").count(), 1, "{states:?}");
    place.close().await;
}

#[tokio::test]
async fn what_was_replaced_or_deleted_gets_nothing_more() {
    let receiver = MockServer::start().await;
    let broken = ResponseTemplate::new(503);
    Mock::given(path("/old")).respond_with(broken).mount(&receiver).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let place = place(&receiver).await;
    let asked = place.send("ask a human", with_push(&receiver, "/old", "p")).await;
    let id = asked["id"].as_str().unwrap();
    let configs = format!("/tasks/{id}/pushNotificationConfigs");
    let other = json!({"url": format!("{}/new", receiver.uri()), "id": "p"});
    place.rest(Method::POST, &configs, &other).await;
    answer(&place, &asked).await;
    states(&receiver, "/new", "COMPLETED").await;

    let asked = place.send("ask a human", with_push(&receiver, "/old", "q")).await;
    let id = asked["id"].as_str().unwrap();
    let configs = format!("/tasks/{id}/pushNotificationConfigs");
    place.rest(Method::DELETE, &format!("{configs}/q"), &Value::Null).await;
    let old = |requests: Vec<wiremock::Request>| {
        requests.iter().filter(|request| request.url.path() == "/old").count()
    };
    let before = old(receiver.received_requests().await.unwrap());
    answer(&place, &asked).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(old(receiver.received_requests().await.unwrap()), before);
    place.close().await;
}

#[tokio::test]
async fn an_answer_with_one_configuration_too_many_changes_nothing() {
    let receiver = receiver(Duration::ZERO).await;
    let place = place(&receiver).await;
    let asked = place.send("ask a human", json!({})).await;
    let id = asked["id"].as_str().unwrap();
    let configs = format!("/tasks/{id}/pushNotificationConfigs");
    for number in 0..16 {
        let config = json!({"url": format!("{}/{number}", receiver.uri())});
        let (status, made) = place.rest(Method::POST, &configs, &config).await;
        assert_eq!(status, 200, "{made}");
    }
    let call = &asked["status"]["message"]["parts"][1]["data"]["id"];
    let mut more = with_push(&receiver, "/more", "more");
    more["taskId"] = asked["id"].clone();
    more["parts"] = json!([{"data": {"id": call, "result": "Oslo"}}]);
    let request = harness::message("", more);
    let (status, refused) = place.rest(Method::POST, "/message:send", &request).await;
    assert_eq!(status, 400, "{refused}");
    assert_eq!(answer(&place, &asked).await["status"]["state"], "TASK_STATE_COMPLETED");
    place.close().await;
}
