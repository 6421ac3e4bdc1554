//! What a host does, in both bindings.

mod harness;

use std::time::Duration;

use harness::{Place, builder, message, reason, text};
use http::{Method, StatusCode};
use interactions_a2a::Card;
use interactions_client::Client;
use interactions_transport::{SharedTransport, TowerTransport};
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_becomes_a_task_with_an_answer() {
    let place = Place::new().await;
    let task = place.send("count to 3", json!({})).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    assert!(task["status"]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(text(&task), "1 2 3");
    assert_eq!(task["history"].as_array().unwrap().len(), 1);
    assert_eq!(task["history"][0]["taskId"], task["id"]);

    let answer = place.rpc("GetTask", json!({"id": task["id"], "historyLength": 0})).await;
    let mut expected = task.clone();
    expected.as_object_mut().unwrap().shift_remove("history");
    assert_eq!(answer["result"], expected);
    let answer = place.rpc("SendMessage", message("count to 2", json!({}))).await;
    assert_eq!(text(&answer["result"]["task"]), "1 2");
    place.close().await;
}

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_its_end() {
    let place = Place::new().await;
    let events = place.stream("/message:stream", &[], &message("count to 5", json!({}))).await;
    let first = &events[0].1["task"];
    assert!(first["id"].is_string() && first["artifacts"].is_null(), "{first}");
    let last = &events.last().unwrap().1["statusUpdate"];
    assert_eq!(last["status"]["state"], "TASK_STATE_COMPLETED");
    let pieces: Vec<&Value> = events
        .iter()
        .map(|(_, event)| &event["artifactUpdate"])
        .filter(|update| update.is_object())
        .collect();
    assert!(pieces.len() > 2);
    for (index, piece) in pieces.iter().enumerate() {
        assert_eq!(piece["append"], index > 0);
        assert_eq!(piece["lastChunk"], index + 1 == pieces.len());
    }
    let whole: String =
        pieces.iter().filter_map(|piece| piece["artifact"]["parts"][0]["text"].as_str()).collect();
    assert_eq!(whole, "1 2 3 4 5");

    // From every event on, the rest comes again and nothing else.
    let id = first["id"].as_str().unwrap();
    for (index, (event_id, _)) in events.iter().enumerate() {
        let path = format!("/tasks/{id}:subscribe");
        let again = place.stream(&path, &[("last-event-id", event_id)], &Value::Null).await;
        assert_eq!(again[0].0, *event_id);
        assert!(again[0].1["task"].is_object());
        assert_eq!(again[1..], events[index + 1..], "after {event_id}");
    }
    // Without a place to go on from, an ended task has no stream.
    let (status, refused) =
        place.rest(Method::GET, &format!("/tasks/{id}:subscribe"), &Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(reason(&refused["error"]), "UNSUPPORTED_OPERATION");
    place.close().await;
}

#[tokio::test]
async fn a_question_waits_for_its_answer_on_the_same_task() {
    let place = Place::new().await;
    let task = place.send("ask a human", json!({})).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert!(task["artifacts"].is_null(), "a question is no result");
    let call = &task["status"]["message"]["parts"][1];
    assert_eq!(call["metadata"]["adk_type"], "function_call");

    let stray = json!([{"data": {"id": "nonsense", "result": 1}}]);
    let still = place.send("", json!({"taskId": task["id"], "parts": stray})).await;
    assert_eq!(still["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(still["id"], task["id"]);
    let asked = still["status"]["message"]["parts"].as_array().unwrap();
    assert!(asked.iter().any(|part| part["data"]["id"] == call["data"]["id"]), "{still}");

    let answer = json!([{
        "data": {"id": call["data"]["id"], "name": "ask_human", "response": {"answer": "Oslo"}},
        "metadata": {"adk_type": "function_response"},
    }]);
    let done = place.send("", json!({"taskId": task["id"], "parts": answer})).await;
    assert_eq!(done["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!((&done["id"], &done["contextId"]), (&task["id"], &task["contextId"]));
    assert!(text(&done).contains("Oslo"), "{done}");
    place.close().await;
}

#[tokio::test]
async fn who_subscribes_to_a_waiting_task_hears_how_it_goes_on() {
    let place = Place::new().await;
    let asked = place.send("ask a human", json!({})).await;
    let path = format!("/tasks/{}:subscribe", asked["id"].as_str().unwrap());
    let whole = place.stream(&path, &[], &Value::Null);
    let answer = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let call = &asked["status"]["message"]["parts"][1]["data"]["id"];
        let parts = json!([{"data": {"id": call, "result": "Oslo"}}]);
        place.send("", json!({"taskId": asked["id"], "parts": parts})).await
    };
    let both = async { tokio::join!(whole, answer) };
    let (events, done) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(done["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(events[0].1["task"]["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    let last = &events.last().unwrap().1["statusUpdate"]["status"]["state"];
    assert_eq!(last, "TASK_STATE_COMPLETED");
    place.close().await;
}

#[tokio::test]
async fn a_subscription_begins_with_the_task_as_it_is_and_tells_nothing_twice() {
    let place = Place::new().await;
    let now = json!({"configuration": {"returnImmediately": true}});
    let task = place.send("count to 40", now).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    let path = format!("/tasks/{}:subscribe", task["id"].as_str().unwrap());
    let events = place.stream(&path, &[], &Value::Null).await;
    let before = text(&events[0].1["task"]);
    assert!(before.starts_with("1 2 3"), "what was made is there: {:?}", events[0]);
    let pieces = events
        .iter()
        .filter_map(|(_, event)| event["artifactUpdate"]["artifact"]["parts"][0]["text"].as_str());
    let after: String = pieces.collect();
    let counted: Vec<String> = (1..=40).map(|number| number.to_string()).collect();
    assert_eq!(format!("{before}{after}").trim(), counted.join(" "));
    assert!(!after.is_empty(), "the rest is told as it is made");
    place.close().await;
}

#[tokio::test]
async fn repeated_messages_begin_tasks_anew_where_that_is_wanted() {
    let place = Place::with(|host| host.repeated_messages(true)).await;
    let one = place.send("hello", json!({"messageId": "m"})).await;
    let other = place.send("hello", json!({"messageId": "m"})).await;
    assert_ne!(one["id"], other["id"]);
    assert_eq!(other["status"]["state"], "TASK_STATE_COMPLETED");
    place.close().await;
}

#[tokio::test]
async fn turns_of_a_conversation_build_on_each_other_and_wait_for_each_other() {
    let place = Place::new().await;
    let at_once = json!({"configuration": {"returnImmediately": true}});
    let first = place.send("wait 1", at_once.clone()).await;
    let context = first["contextId"].clone();
    let mut next = at_once.clone();
    next["contextId"] = context.clone();
    let second = place.send("count to 2", next).await;
    let waiting = place.task(second["id"].as_str().unwrap(), "TASK_STATE_SUBMITTED").await;
    assert_eq!(waiting["contextId"], context);
    let done = place.task(second["id"].as_str().unwrap(), "TASK_STATE_COMPLETED").await;
    let before = place.task(first["id"].as_str().unwrap(), "TASK_STATE_COMPLETED").await;
    let time = |task: &Value| task["status"]["timestamp"].as_str().unwrap().to_owned();
    assert!(time(&before) < time(&done));
    place.close().await;
}

#[tokio::test]
async fn a_task_is_cancelled_wherever_it_is() {
    let place = Place::new().await;
    let at_once = json!({"configuration": {"returnImmediately": true}});
    let task = place.send("wait 60", at_once).await;
    let id = task["id"].as_str().unwrap();
    place.task(id, "TASK_STATE_WORKING").await;
    let path = format!("/tasks/{id}:cancel");
    for _ in 0..2 {
        let (status, cancelled) = place.rest(Method::POST, &path, &Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(cancelled["status"]["state"], "TASK_STATE_CANCELED");
    }
    let waiting = place.send("ask a human", json!({})).await;
    let answer = place.rpc("CancelTask", json!({"id": waiting["id"]})).await;
    assert_eq!(answer["result"]["status"]["state"], "TASK_STATE_CANCELED");
    let done = place.send("hi", json!({})).await;
    let answer = place.rpc("CancelTask", json!({"id": done["id"]})).await;
    assert_eq!(answer["error"]["code"], -32002);
    assert_eq!(reason(&answer["error"]), "TASK_NOT_CANCELABLE");
    place.close().await;
}

#[tokio::test]
async fn a_message_sent_twice_is_one_task() {
    let place = Place::new().await;
    let request = message("count to 2", json!({}));
    let (_, first) = place.rest(Method::POST, "/message:send", &request).await;
    let (_, again) = place.rest(Method::POST, "/message:send", &request).await;
    assert_eq!(first["task"], again["task"]);
    place.close().await;
}

#[tokio::test]
async fn agents_are_apart_and_cards_say_how_to_reach_them() {
    let place = Place::new().await;
    let (status, headers, body) =
        place.raw(Method::GET, "/.well-known/agent-card.json", &[], &Value::Null).await;
    let etag = headers["etag"].to_str().unwrap().to_owned();
    let card: Value = serde_json::from_slice(&body.collect(1 << 16).await.unwrap()).unwrap();
    assert_eq!((status, &card["name"]), (StatusCode::OK, &json!("Helper")));
    assert_eq!(card["supportedInterfaces"][0]["url"], "http://host.example");
    assert!(headers["cache-control"].to_str().unwrap().contains("max-age"));
    let known = [("if-none-match", etag.as_str())];
    let (status, ..) =
        place.raw(Method::GET, "/.well-known/agent-card.json", &known, &Value::Null).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    let (_, card) =
        place.rest(Method::GET, "/other/.well-known/agent-card.json", &Value::Null).await;
    assert_eq!(card["supportedInterfaces"][1]["tenant"], "other");

    let task = place.send("hi", json!({})).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    let (status, _) = place.rest(Method::GET, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, error) = place.rest(Method::GET, &format!("/other{path}"), &Value::Null).await;
    assert_eq!((status, reason(&error["error"])), (StatusCode::NOT_FOUND, "TASK_NOT_FOUND"));
    let (status, _) = place.rest(Method::GET, &format!("/nobody{path}"), &Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    place.close().await;
}

#[tokio::test]
async fn tasks_are_listed_page_by_page() {
    let place = Place::new().await;
    let first = place.send("count to 1", json!({})).await;
    let mut ids = vec![first["id"].clone()];
    for _ in 0..4 {
        ids.insert(
            0,
            place.send("hi", json!({"contextId": first["contextId"]})).await["id"].clone(),
        );
    }
    place.send("elsewhere", json!({})).await;
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let context = first["contextId"].as_str().unwrap();
        let path = format!("/tasks?contextId={context}&pageSize=2&pageToken={token}");
        let (status, page) = place.rest(Method::GET, &path, &Value::Null).await;
        assert_eq!((status, &page["totalSize"]), (StatusCode::OK, &json!(5)));
        for task in page["tasks"].as_array().unwrap() {
            assert!(task["artifacts"].is_null());
            seen.push(task["id"].clone());
        }
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let listed = place.rpc("ListTasks", json!({"includeArtifacts": true, "pageSize": 1})).await;
    assert!(listed["result"]["tasks"][0]["artifacts"].is_array());
    for wrong in ["pageSize=0", "pageSize=101", "pageSize=x", "pageToken=x", "status=SLEEPING"] {
        let (status, error) =
            place.rest(Method::GET, &format!("/tasks?{wrong}"), &Value::Null).await;
        assert_eq!((status, reason(&error["error"])), (StatusCode::BAD_REQUEST, "INVALID_PARAMS"));
    }
    place.close().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_alike_in_both_bindings() {
    let place = Place::new().await;
    let done = place.send("hi", json!({})).await;
    let (id, context) = (&done["id"], &done["contextId"]);
    let mut empty = message("x", json!({}));
    empty["message"]["parts"] = json!([]);
    let zip = json!([{"raw": "AA==", "mediaType": "application/zip"}]);
    for (request, expected) in [
        (message("x", json!({"taskId": "nobody"})), "TASK_NOT_FOUND"),
        (message("x", json!({"taskId": id})), "UNSUPPORTED_OPERATION"),
        (message("x", json!({"taskId": id, "contextId": "another"})), "INVALID_PARAMS"),
        (message("x", json!({"role": "ROLE_AGENT", "contextId": context})), "INVALID_PARAMS"),
        (message("x", json!({"parts": zip})), "CONTENT_TYPE_NOT_SUPPORTED"),
        (empty, "INVALID_PARAMS"),
        (json!({}), "INVALID_PARAMS"),
        (
            message("x", json!({"configuration": {"acceptedOutputModes": ["audio/mpeg"]}})),
            "CONTENT_TYPE_NOT_SUPPORTED",
        ),
        (
            message(
                "x",
                json!({"configuration": {"taskPushNotificationConfig":
                {"url": "http://169.254.169.254/"}}}),
            ),
            "INVALID_PARAMS",
        ),
    ] {
        for path in ["/message:send", "/message:stream"] {
            let (status, error) = place.rest(Method::POST, path, &request).await;
            assert_eq!(reason(&error["error"]), expected, "{request}");
            assert_eq!(error["error"]["code"], status.as_u16());
        }
        for method in ["SendMessage", "SendStreamingMessage"] {
            let error = place.rpc(method, request.clone()).await;
            assert_eq!(reason(&error["error"]), expected, "{request}");
        }
    }
    let (status, _, _) =
        place.raw(Method::POST, "/message:send", &[], &message("x", json!({}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a version is named");
    for (body, code) in [
        (json!([]), -32600),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "GetTask"}), -32600),
        (json!({"jsonrpc": "2.0", "id": {}, "method": "GetTask"}), -32600),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "Nonsense"}), -32601),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": []}), -32602),
    ] {
        let (_, _, answer) = place.raw(Method::POST, "/", &[("a2a-version", "1.0")], &body).await;
        let answer: Value =
            serde_json::from_slice(&answer.collect(1 << 16).await.unwrap()).unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}");
    }
    place.close().await;
}

#[tokio::test]
async fn a_required_extension_must_be_used_and_known_ones_are_echoed() {
    const NEEDED: &str = "https://example.com/needed";
    let place = Place::with(|builder| {
        let card = Card::new("Helper", "Helps.")
            .extension(NEEDED, "Is needed.", true, None)
            .extension("https://example.com/nice", "Is nice.", false, None);
        builder.card(card)
    })
    .await;
    let (status, error) =
        place.rest(Method::POST, "/message:send", &message("hi", json!({}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(reason(&error["error"]), "EXTENSION_SUPPORT_REQUIRED");
    let used = format!("{NEEDED}, https://example.com/unknown");
    let headers = [("a2a-version", "1.0"), ("a2a-extensions", used.as_str())];
    let request = message("hi", json!({}));
    let (status, answered, _) = place.raw(Method::POST, "/message:send", &headers, &request).await;
    assert_eq!((status, answered["a2a-extensions"].to_str().unwrap()), (StatusCode::OK, NEEDED));
    place.close().await;
}

#[tokio::test]
async fn two_hundred_tasks_at_once_all_end() {
    let place = Place::new().await;
    let tasks =
        (0..200).map(|number| place.send("count to 3", json!({"contextId": format!("c{number}")})));
    let tasks = futures::future::join_all(tasks).await;
    assert!(tasks.iter().all(|task| task["status"]["state"] == "TASK_STATE_COMPLETED"));
    assert!(tasks.iter().all(|task| text(task) == "1 2 3"));
    let ids: std::collections::HashSet<_> =
        tasks.iter().map(|task| task["id"].to_string()).collect();
    assert_eq!(ids.len(), 200);
    place.close().await;
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_up_nobody() {
    let place = Place::new().await;
    let headers = [("a2a-version", "1.0")];
    let request = message("count to 60", json!({}));
    let (status, _, unread) = place.raw(Method::POST, "/message:stream", &headers, &request).await;
    assert_eq!(status, StatusCode::OK);
    let listed = place.rpc("ListTasks", json!({})).await;
    let id = listed["result"]["tasks"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/tasks/{id}:subscribe");
    let mut told = String::new();
    for (_, event) in place.stream(&path, &[], &Value::Null).await {
        let part = &event["artifactUpdate"]["artifact"]["parts"][0]["text"];
        told += part.as_str().unwrap_or_default();
    }
    assert!(told.ends_with("59 60"), "{told}");
    drop(unread);
    place.close().await;
}

#[tokio::test]
async fn a_host_that_goes_on_after_another_finds_its_tasks_as_they_were() {
    let dir = std::env::temp_dir().join(format!("interactions-a2a-again-{}", std::process::id()));
    let index = interactions_a2a::SqliteIndex::open(dir.join("tasks.db")).await.unwrap();
    let mut place = Place::with(|builder| builder.index(index)).await;
    let at_once = json!({"configuration": {"returnImmediately": true}});
    let working = place.send("wait 1", at_once.clone()).await;
    let mut queued = at_once;
    queued["contextId"] = working["contextId"].clone();
    let queued = place.send("count to 2", queued).await;
    let asking = place.send("ask a human", json!({})).await;
    // The host goes, the endpoint stays.
    place.host.close().await;
    let index = interactions_a2a::SqliteIndex::open(dir.join("tasks.db")).await.unwrap();
    let client = Client::builder()
        .base_url("http://in-process")
        .transport(SharedTransport::new(TowerTransport::new(place.server.trusted_router("a2a"))))
        .build()
        .unwrap();
    place.host = builder(&client).index(index).build().await.unwrap();
    place.transport = SharedTransport::new(TowerTransport::new(place.host.router()));
    let done = place.task(working["id"].as_str().unwrap(), "TASK_STATE_COMPLETED").await;
    assert!(text(&done).contains("Waited 1 s."), "{done}");
    let done = place.task(queued["id"].as_str().unwrap(), "TASK_STATE_COMPLETED").await;
    assert_eq!(text(&done), "1 2");
    let call = &asking["status"]["message"]["parts"][1]["data"];
    let answer = json!([{"data": {"id": call["id"], "response": "yes"}}]);
    let done = place.send("", json!({"taskId": asking["id"], "parts": answer})).await;
    assert_eq!(done["status"]["state"], "TASK_STATE_COMPLETED");
    place.close().await;
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_host_without_streams_says_so_and_refuses_them_first() {
    let place = Place::with(|host| host.streaming(false)).await;
    let (_, card) = place.rest(Method::GET, "/.well-known/agent-card.json", &Value::Null).await;
    assert_eq!(card["capabilities"]["streaming"], false);
    for method in ["SendStreamingMessage", "SubscribeToTask"] {
        // Whatever else is missing.
        let error = place.rpc(method, json!({})).await;
        assert_eq!(reason(&error["error"]), "UNSUPPORTED_OPERATION", "{method}");
    }
    for path in ["/message:stream", "/tasks/nobody:subscribe"] {
        let (status, error) = place.rest(Method::POST, path, &json!({})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(reason(&error["error"]), "UNSUPPORTED_OPERATION", "{path}");
    }
    assert_eq!(place.send("hi", json!({})).await["status"]["state"], "TASK_STATE_COMPLETED");
    place.close().await;
}

#[tokio::test]
async fn a_list_of_no_push_configurations_is_a_list() {
    let place = Place::new().await;
    let task = place.send("hi", json!({})).await;
    let path = format!("/tasks/{}/pushNotificationConfigs", task["id"].as_str().expect("an id"));
    let empty = json!({"configs": [], "nextPageToken": ""});
    assert_eq!(place.rest(Method::GET, &path, &Value::Null).await, (StatusCode::OK, empty.clone()));
    let answer = place.rpc("ListTaskPushNotificationConfigs", json!({"taskId": task["id"]})).await;
    assert_eq!(answer["result"], empty);
    place.close().await;
}
