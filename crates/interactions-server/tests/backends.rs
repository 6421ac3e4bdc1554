//! Models behind chat completions, and what their servers can and cannot do.

mod harness;

use harness::Harness;
use interactions_server::{Adapter, Config, ModelConfig};
use interactions_testing::{ChatStub, Dialect};
use interactions_types::{Content, CreateInteraction, Image, Status, Step};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn a_server_that_refuses_a_field_is_asked_without_it_from_then_on() {
    let stub = ChatStub::start(Dialect::Bare).await.unwrap();
    let server = Harness::with_chat(&stub.base_url()).await;
    let ask = || {
        server.post(json!({
            "model": "m", "input": "hi", "store": false,
            "response_format": {"type": "text", "mime_type": "application/json", "schema": {"type": "array"}},
        }))
    };
    ask().await;
    let requests = stub.requests();
    let formats: Vec<&Value> =
        requests.iter().map(|request| &request["response_format"]["type"]).collect();
    assert_eq!(formats[..3], ["json_schema", "json_schema", "json_object"]);
    let options: Vec<bool> =
        requests.iter().map(|request| request.get("stream_options").is_some()).collect();
    assert_eq!(options[..3], [true, false, false]);
    let words = requests[2]["messages"][0]["content"].as_str().unwrap();
    assert!(words.contains(r#"{"type":"array"}"#), "{words}");
    let before = requests.len();
    ask().await;
    let again = &stub.requests()[before];
    assert_eq!(again["response_format"]["type"], "json_object", "it has learned");
}

#[tokio::test]
async fn thoughts_among_the_text_become_thoughts() {
    let stub = ChatStub::start(Dialect::Bare).await.unwrap();
    let server = Harness::with_chat(&stub.base_url()).await;
    let answer = server.client.create(CreateInteraction::new("m", "hi")).await.unwrap();
    assert_eq!(answer.status, Status::Completed);
    assert_eq!(answer.output_text(), "You said: hi");
    let [Step::Thought(thought), Step::ModelOutput(_)] = &answer.steps[..] else {
        panic!("{:?}", answer.steps)
    };
    let said: String =
        thought.summary.iter().filter_map(|it| it.as_text().map(str::trim)).collect();
    assert_eq!(said, "Hm.");
}

async fn with_pictures(allow: &MockServer, stub: &ChatStub) -> Harness {
    let mut config = Config::default();
    config.egress.allow = vec![allow.address().to_string()];
    config.limits.media_bytes = 1000;
    let mut model = ModelConfig::new("m", Adapter::Openai);
    model.base_url = Some(stub.base_url());
    config.models.push(model);
    Harness::with(config).await
}

#[tokio::test]
async fn pictures_by_address_are_fetched_through_the_guard() {
    let stub = ChatStub::start(Dialect::Plain).await.unwrap();
    let pictures = MockServer::start().await;
    let other = MockServer::start().await;
    for (at, answer) in [
        ("/a.png", ResponseTemplate::new(200).set_body_raw("img", "image/png; charset=binary")),
        ("/moved", ResponseTemplate::new(302).insert_header("location", "/a.png")),
        (
            "/away",
            ResponseTemplate::new(302).insert_header("location", format!("{}/a.png", other.uri())),
        ),
        ("/loop", ResponseTemplate::new(302).insert_header("location", "/loop")),
        ("/large", ResponseTemplate::new(200).set_body_raw(vec![0; 1001], "image/png")),
    ] {
        Mock::given(path(at)).respond_with(answer).mount(&pictures).await;
    }
    let server = with_pictures(&pictures, &stub).await;
    let see = async |uri: String| {
        let content = vec![Content::text("what is it?"), Image::new().uri(uri).into()];
        server.client.create(CreateInteraction::new("m", content)).await.unwrap()
    };
    for at in ["/a.png", "/moved"] {
        let seen = see(format!("{}{at}", pictures.uri())).await;
        assert_eq!(seen.status, Status::Completed);
        let asked = stub.requests().pop().unwrap();
        let url = asked.pointer("/messages/0/content/1/image_url/url").unwrap();
        assert_eq!(url, "data:image/png;base64,aW1n");
        // What is stored is what was sent.
        let stored = server.client.get(&seen.id).include_input().await.unwrap();
        assert!(serde_json::to_string(&stored).unwrap().contains(at));
    }
    let asked = stub.requests().len();
    for (uri, why) in [
        (format!("{}/away", pictures.uri()), "may not reach"),
        (format!("{}/a.png?key=hush", other.uri()), "may not reach"),
        (format!("{}/loop", pictures.uri()), "redirects more than"),
        (format!("{}/large", pictures.uri()), "larger than 1000 bytes"),
        (format!("{}/none", pictures.uri()), "status 404"),
        ("gs://bucket/a.png".to_owned(), "not gs"),
        ("file:///etc/passwd".to_owned(), "not file"),
    ] {
        let failed = see(uri.clone()).await;
        assert_eq!(failed.status, Status::Failed, "{uri}");
        let error = failed.errors.unwrap().remove(0);
        assert_eq!(error.code.as_deref(), Some("invalid_request"));
        let message = error.message.unwrap();
        assert!(message.contains(why) && message.contains("image"), "{uri}: {message}");
        assert!(!message.contains("hush"), "{message}");
    }
    assert_eq!(stub.requests().len(), asked, "the model was not bothered");
    assert!(other.received_requests().await.unwrap().is_empty());
}
