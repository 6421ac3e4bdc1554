//! What the SDKs of 0.3 send and read. The files are under `tests/legacy`: `requests.py` wrote
//! down what the Python SDK 0.3 sends, `check.py` and `check_core.py` hold `translated.json`
//! against its types and against the translation in the SDK 1.3. `BLESS=1` writes that file anew.

use http::Method;

use super::*;

const REQUESTS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/legacy/requests.json"));
const ANSWERS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/legacy/answers.json"));
const TRANSLATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/legacy/translated.json");

const BOTH: [Binding; 2] = [Binding::JsonRpc, Binding::Rest];

fn read(file: &str) -> Vec<Value> {
    serde_json::from_str(file).expect("the file is a list")
}

fn text<'a>(one: &'a Value, name: &str) -> &'a str {
    one[name].as_str().expect("a string")
}

fn sent(one: &Value) -> Result<Call, Fault> {
    if text(one, "binding") == "jsonrpc" {
        return request(text(one, "method"), one["params"].clone());
    }
    let method = text(one, "method").parse().expect("a method");
    let (path, query) = match text(one, "path").split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text(one, "path"), None),
    };
    rest(&method, path).expect("a path of 0.3").call(query, one["body"].clone())
}

fn answered(one: &Value, binding: Binding) -> Value {
    let operation = Operation::named(text(one, "operation")).expect("a method of 0.3");
    result(binding, operation, one["answer"].clone()).expect("an answer")
}

#[test]
fn what_the_sdk_sends_and_reads_is_translated() {
    let requests = read(REQUESTS).into_iter().map(|one| {
        let call = sent(&one).unwrap();
        json!({
            "name": one["name"], "binding": one["binding"],
            "method": call.operation.method(), "params": call.params,
        })
    });
    let answers = read(ANSWERS).into_iter().map(|one| {
        json!({
            "name": one["name"], "operation": one["operation"],
            "jsonrpc": answered(&one, Binding::JsonRpc), "rest": answered(&one, Binding::Rest),
        })
    });
    let now = json!({
        "requests": requests.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>(),
    });
    if std::env::var_os("BLESS").is_some() {
        let text = serde_json::to_string_pretty(&now).unwrap();
        std::fs::write(TRANSLATED, text + "\n").unwrap();
        return;
    }
    let then: Value = serde_json::from_str(&std::fs::read_to_string(TRANSLATED).unwrap()).unwrap();
    for list in ["requests", "answers"] {
        let (then, now) = (then[list].as_array().unwrap(), now[list].as_array().unwrap());
        assert_eq!(then.len(), now.len());
        for (then, now) in then.iter().zip(now) {
            assert_eq!(then, now, "{}", then["name"]);
        }
    }
}

#[test]
fn messages_survive_there_and_back() {
    for binding in BOTH {
        for one in read(ANSWERS) {
            let Some(message) = one["answer"].get("message") else { continue };
            let legacy = answer::message(binding, message.clone());
            let fields = fields::Fields::of(legacy, "").unwrap();
            let mut expected = message.clone();
            if binding == Binding::Rest {
                // 0.3 has no such field there.
                expected.as_object_mut().unwrap().remove("referenceTaskIds");
            }
            assert_eq!(params::message(binding, fields).unwrap(), expected);
        }
    }
}

#[test]
fn push_configurations_survive_there_and_back() {
    for binding in BOTH {
        for one in read(ANSWERS).iter().filter(|one| one["answer"].get("url").is_some()) {
            let legacy = answered(one, binding);
            let back = match binding {
                Binding::JsonRpc => request("tasks/pushNotificationConfig/set", legacy),
                Binding::Rest => {
                    let path = "/v1/tasks/t1/pushNotificationConfigs";
                    rest(&Method::POST, path).unwrap().call(None, legacy)
                }
            };
            assert_eq!(back.unwrap().params, one["answer"]);
        }
    }
}

#[test]
fn streams_end_where_nothing_more_is_to_be_expected() {
    let ends = ["COMPLETED", "FAILED", "CANCELED", "REJECTED", "INPUT_REQUIRED", "AUTH_REQUIRED"];
    let mut seen = 0;
    for one in read(ANSWERS) {
        let Some(state) = text(&one, "name").strip_prefix("event: status ") else { continue };
        seen += 1;
        let said = answered(&one, Binding::JsonRpc);
        assert_eq!(said["final"], ends.contains(&state), "{state}");
        assert_eq!(answered(&one, Binding::Rest)["statusUpdate"]["final"], said["final"]);
    }
    assert_eq!(seen, 9);
}

#[test]
fn whether_to_wait_is_what_the_binding_says() {
    let wait = |binding, configuration: Value| {
        let body = match binding {
            Binding::JsonRpc => json!({ "message": { "role": "user", "parts": [] } }),
            Binding::Rest => json!({ "message": { "role": "ROLE_USER", "content": [] } }),
        };
        let mut body = body;
        body["configuration"] = configuration;
        let call = match binding {
            Binding::JsonRpc => request("message/send", body),
            Binding::Rest => rest(&Method::POST, "v1/message:send").unwrap().call(None, body),
        };
        call.unwrap().params.pointer("/configuration/returnImmediately").cloned()
    };
    for binding in BOTH {
        assert_eq!(wait(binding, json!({ "blocking": true })), Some(json!(false)));
        assert_eq!(wait(binding, json!({ "blocking": false })), Some(json!(true)));
        assert_eq!(wait(binding, Value::Null), None);
    }
    assert_eq!(wait(Binding::JsonRpc, json!({})), None);
    assert_eq!(wait(Binding::Rest, json!({})), Some(json!(true)));
}

#[test]
fn wrong_shapes_are_named_by_their_path() {
    let message = |part: Value| json!({ "message": { "role": "user", "parts": [part] } });
    let cases = [
        ("message/send", Value::Null, "params"),
        ("message/send", json!([]), "params"),
        ("message/send", json!({}), "message"),
        ("message/send", json!({ "message": "hi" }), "message"),
        ("message/send", json!({ "message": { "parts": [] } }), "message.role"),
        ("message/send", json!({ "message": { "role": "system", "parts": [] } }), "message.role"),
        ("message/send", json!({ "message": { "kind": "task" } }), "message.kind"),
        ("message/send", json!({ "message": { "role": "user" } }), "message.parts"),
        ("message/send", json!({ "message": { "role": "user", "parts": {} } }), "message.parts"),
        ("message/send", message(json!({})), "message.parts[0]"),
        ("tasks/get", json!({ "id": 7 }), "id"),
        ("tasks/get", json!({ "id": "" }), "id"),
        ("tasks/get", json!({ "id": "t", "historyLength": "2" }), "historyLength"),
        ("tasks/cancel", json!({}), "id"),
        ("tasks/pushNotificationConfig/set", json!({ "taskId": "t" }), "pushNotificationConfig"),
        ("tasks/pushNotificationConfig/delete", json!({ "id": "t" }), "pushNotificationConfigId"),
        (
            "tasks/pushNotificationConfig/set",
            json!({
                "taskId": "t",
                "pushNotificationConfig": { "authentication": { "credentials": "s" } },
            }),
            "pushNotificationConfig.authentication.schemes",
        ),
    ];
    for (method, params, field) in cases {
        let fault = request(method, params.clone()).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::InvalidParams);
        assert_eq!(fault.violations()[0].field, field, "{method} {params}");
    }
    let parts = [
        (json!({ "kind": "video" }), "message.parts[0].kind"),
        (json!({ "kind": "text" }), "message.parts[0].text"),
        (json!({ "kind": "text", "text": 1 }), "message.parts[0].text"),
        (json!({ "kind": "file", "file": {} }), "message.parts[0].file"),
        (json!({ "kind": "file", "file": { "uri": "u", "bytes": "b" } }), "message.parts[0].file"),
        (json!({ "kind": "data", "data": [] }), "message.parts[0].data"),
        (json!({ "metadata": {} }), "message.parts[0]"),
    ];
    for (part, field) in parts {
        let params = json!({ "message": { "role": "user", "parts": [part] } });
        let fault = request("message/send", params).unwrap_err();
        assert_eq!(fault.violations()[0].field, field, "{part}");
    }
}

#[test]
fn unknown_fields_and_nulls_are_ignored() {
    let part = json!({ "kind": "text", "text": "hi", "data": 7, "metadata": null });
    let message = json!({
        "role": "user", "messageId": "m", "contextId": null, "parts": [part], "colour": "blue",
    });
    let call = request("message/send", json!({ "message": message, "extra": 1 })).unwrap();
    let expected = json!({
        "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "hi" }] },
    });
    assert_eq!(call.params, expected);
    // Callers that leave out `kind` are understood.
    let params = json!({ "message": { "role": "user", "parts": [{ "text": "hi" }] } });
    assert_eq!(
        request("message/stream", params).unwrap().params["message"]["parts"][0],
        json!({ "text": "hi" })
    );
}

#[test]
fn a_history_of_nothing_is_all_of_it() {
    let call = request("tasks/get", json!({ "id": "t", "historyLength": 0 })).unwrap();
    assert_eq!(call.params, json!({ "id": "t" }));
    let route = rest(&Method::GET, "/v1/tasks/t").unwrap();
    let call = route.clone().call(Some("a=b&historyLength=12"), Value::Null).unwrap();
    assert_eq!(call.params, json!({ "id": "t", "historyLength": 12 }));
    let fault = route.call(Some("historyLength=all"), Value::Null).unwrap_err();
    assert_eq!(fault.violations()[0].field, "historyLength");
}

#[test]
fn the_first_push_configuration_is_meant_without_an_id() {
    let call = request("tasks/pushNotificationConfig/get", json!({ "id": "t" })).unwrap();
    assert_eq!(call.operation.method(), "ListTaskPushNotificationConfigs");
    let configs = json!({ "configs": [{ "taskId": "t", "id": "a", "url": "https://x.example" }] });
    let found = result(Binding::JsonRpc, call.operation, configs).unwrap();
    assert_eq!(found["pushNotificationConfig"]["id"], "a");
    let fault = result(Binding::JsonRpc, call.operation, json!({})).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::InvalidParams);
}

#[test]
fn paths_are_known_and_ids_are_decoded() {
    let call = |method: &Method, path: &str| {
        rest(method, path)?.call(None, Value::Null).ok().map(|call| (call.operation, call.params))
    };
    let cases = [
        (Method::GET, "/v1/tasks/a%2Fb:c", Operation::Get, json!({ "id": "a/b:c" })),
        (Method::POST, "/v1/tasks/a:b:cancel", Operation::Cancel, json!({ "id": "a:b" })),
        (Method::GET, "/v1/tasks/%C3%A4:subscribe", Operation::Resubscribe, json!({ "id": "ä" })),
        (Method::POST, "/v1/tasks/a:subscribe", Operation::Resubscribe, json!({ "id": "a" })),
        (Method::GET, "/v1/card", Operation::ExtendedCard, json!({})),
        (
            Method::GET,
            "/v1/tasks/a/pushNotificationConfigs",
            Operation::ListPush,
            json!({ "taskId": "a" }),
        ),
        (
            Method::DELETE,
            "/v1/tasks/a/pushNotificationConfigs/b",
            Operation::DeletePush,
            json!({ "taskId": "a", "id": "b" }),
        ),
    ];
    for (method, path, operation, params) in cases {
        assert_eq!(call(&method, path), Some((operation, params)), "{path}");
    }
    let unknown = [
        (Method::GET, "/v1/tasks"),
        (Method::GET, "/v1/tasks/"),
        (Method::GET, "/v1/tasks/%ff"),
        (Method::GET, "/v1/tasks/%4"),
        (Method::POST, "/v1/tasks/a"),
        (Method::POST, "/v1/tasks/:cancel"),
        (Method::DELETE, "/v1/tasks/a/pushNotificationConfigs"),
        (Method::GET, "/message:send"),
    ];
    for (method, path) in unknown {
        assert_eq!(rest(&method, path), None, "{path}");
    }
}

#[test]
fn the_js_client_sends_a_push_configuration_without_a_wrapper() {
    let body = json!({
        "name": "tasks/t1/pushNotificationConfigs/",
        "pushNotificationConfig": { "url": "https://x.example", "authentication": {} },
    });
    let route = rest(&Method::POST, "/v1/tasks/t1/pushNotificationConfigs").unwrap();
    let call = route.call(None, body).unwrap();
    assert_eq!(call.params, json!({ "taskId": "t1", "url": "https://x.example" }));
}

#[test]
fn bytes_are_decoded_once_more_only_where_they_cannot_be_text() {
    let raw = |media_type: &str, bytes: &str| {
        let file = json!({ "fileWithBytes": bytes, "mimeType": media_type });
        let body = json!({ "message": { "role": "ROLE_USER", "content": [{ "file": file }] } });
        let route = rest(&Method::POST, "/v1/message:send").unwrap();
        route.call(None, body).unwrap().params["message"]["parts"][0]["raw"].clone()
    };
    assert_eq!(raw("image/png", "aVZCT1J3MEtHZ289"), "iVBORw0KGgo=");
    assert_eq!(raw("image/png", "iVBORw0KGgo="), "iVBORw0KGgo=");
    assert_eq!(raw("text/plain", "aVZCT1J3MEtHZ289"), "aVZCT1J3MEtHZ289");
}

#[test]
fn errors_have_codes_that_0_3_knows() {
    let unknown = request("tasks/list", json!({})).unwrap_err();
    assert_eq!(error(&unknown)["code"], -32601);
    let fault = Fault::new(FaultKind::VersionNotSupported, "no");
    assert_eq!(error(&fault), json!({ "code": -32600, "message": "no" }));
    let (status, body) = rest_error(&Fault::invalid("message.role", "is required"));
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body["code"], -32602);
    assert_eq!(body["data"][0]["field"], "message.role");
}

#[test]
fn a_card_offers_0_3_only_where_it_is_served() {
    let with = |interfaces: Value| card(json!({ "name": "a", "supportedInterfaces": interfaces }));
    let one = |url: &str, tenant: &str, version: &str| {
        json!({
            "url": url, "protocolBinding": "JSONRPC", "tenant": tenant, "protocolVersion": version,
        })
    };
    let tenants = with(json!([one("https://a.example", "t", "1.0")]));
    assert_eq!(tenants.get("url"), None);
    let named =
        with(json!([one("https://a.example", "", "1.0"), one("https://b.example", "", "0.3")]));
    assert_eq!(named["url"], "https://b.example");
    assert_eq!(named["additionalInterfaces"].as_array().unwrap().len(), 1);
    assert_eq!(named["skills"], json!([]));
    assert_eq!(named["supportedInterfaces"].as_array().unwrap().len(), 2);
}
