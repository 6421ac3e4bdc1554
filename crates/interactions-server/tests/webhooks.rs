//! Webhooks from their making to what arrives.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::time::{Duration, Instant};

use harness::{Harness, directory};
use interactions_client::webhook::{JwtVerifier, Verifier};
use interactions_server::{Config, KeyConfig};
use interactions_types::{
    CreateInteraction, Function, InteractionId, JsonObject, RevocationBehavior, Webhook,
    WebhookConfig, WebhookEvent, WebhookEventType, WebhookInput, WebhookState, WebhookUpdate,
};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A receiver that answers with these statuses in turn, then with 200.
async fn receiver(statuses: &[u16]) -> MockServer {
    let receiver = MockServer::start().await;
    for status in statuses {
        let answer = ResponseTemplate::new(*status);
        Mock::given(any()).respond_with(answer).up_to_n_times(1).mount(&receiver).await;
    }
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    receiver
}

fn config(receiver: &MockServer) -> Config {
    let mut config = Config::parse("[webhooks]\nretry = [\"50ms\", \"100ms\", \"100ms\"]").unwrap();
    config.egress.allow = vec![receiver.address().to_string()];
    config
}

async fn deliveries(receiver: &MockServer, count: usize) -> Vec<Request> {
    let begin = Instant::now();
    loop {
        let requests = receiver.received_requests().await.unwrap();
        if requests.len() >= count {
            return requests;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{} came", requests.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn hook(server: &Harness, receiver: &MockServer, events: Vec<WebhookEventType>) -> Webhook {
    let input = WebhookInput::new(events, format!("{}/hook", receiver.uri())).name("ci");
    server.client.webhooks().create(&input).await.unwrap()
}

async fn background(server: &Harness, input: &str) -> InteractionId {
    let request = CreateInteraction::new("scripted", input).background(true);
    server.client.create(request).await.unwrap().id
}

use WebhookEventType::{
    InteractionCancelled, InteractionCompleted, InteractionFailed, InteractionRequiresAction,
};

#[tokio::test]
async fn every_end_of_background_work_is_told_to_who_subscribed() {
    let receiver = receiver(&[]).await;
    let server = Harness::with(config(&receiver)).await;
    let events = vec![
        InteractionCompleted,
        InteractionFailed,
        InteractionCancelled,
        InteractionRequiresAction,
    ];
    let made = hook(&server, &receiver, events).await;
    let secret = made.new_signing_secret.clone().unwrap();
    let verifier = Verifier::new([secret.as_str()]).unwrap();
    let mut seen = 0;
    let call = CreateInteraction::new("scripted", "weather?")
        .tools(vec![Function::new("get_weather").into()])
        .background(true);
    let calling = server.client.create(call).await.unwrap().id;
    let long = background(&server, "wait 60").await;
    server.client.cancel(&long).await.unwrap();
    let expected = [
        ("interaction.completed", background(&server, "hi").await),
        ("interaction.completed", background(&server, "cut me").await),
        ("interaction.failed", background(&server, "fail").await),
        ("interaction.cancelled", long),
        ("interaction.requires_action", calling),
    ];
    // What somebody waited for is no news.
    server.client.create(CreateInteraction::new("scripted", "hi")).await.unwrap();
    let requests = deliveries(&receiver, expected.len()).await;
    for request in &requests {
        let delivery = verifier.verify(&request.headers, &request.body).unwrap();
        let event: WebhookEvent = delivery.event().unwrap();
        let id = event.interaction_id().unwrap();
        assert!(expected.contains(&(event.kind(), id.clone())), "{event:?}");
        if let WebhookEvent::InteractionFailed(failed) = &event {
            assert!(failed.data.error_code.is_some() && failed.data.error_message.is_some());
        }
        seen += 1;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((seen, receiver.received_requests().await.unwrap().len()), (5, 5));

    let other = Verifier::new(["whsec_b3RoZXI="]).unwrap();
    assert!(other.verify(&requests[0].headers, &requests[0].body).is_err());
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_under_the_same_id_and_then_left() {
    let receiver_up_later = receiver(&[500, 503]).await;
    let server = Harness::with(config(&receiver_up_later)).await;
    let made = hook(&server, &receiver_up_later, vec![InteractionCompleted]).await;
    background(&server, "hi").await;
    let requests = deliveries(&receiver_up_later, 3).await;
    let ids: Vec<_> = requests.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    let id = made.id.unwrap();
    assert_eq!(server.client.webhooks().get(id).await.unwrap().state, Some(WebhookState::Enabled));

    for (statuses, tries) in [(vec![500; 9], 4), (vec![410; 9], 1)] {
        let down = receiver(&statuses).await;
        let server = Harness::with(config(&down)).await;
        let id = hook(&server, &down, vec![InteractionCompleted]).await.id.unwrap();
        background(&server, "hi").await;
        deliveries(&down, tries).await;
        let state = async || server.client.webhooks().get(id.clone()).await.unwrap().state;
        let begin = Instant::now();
        while state().await == Some(WebhookState::Enabled) {
            assert!(begin.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(state().await, Some(WebhookState::DisabledDueToFailedDeliveries));
        background(&server, "hi").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(down.received_requests().await.unwrap().len(), tries);
        let enable = WebhookUpdate::new().state(WebhookState::Enabled);
        server.client.webhooks().update(id.clone(), &enable).await.unwrap();
        background(&server, "hi").await;
        deliveries(&down, tries + 1).await;
    }
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_unless_that_is_revoked() {
    let receiver = receiver(&[]).await;
    let server = Harness::with(config(&receiver)).await;
    let webhooks = server.client.webhooks();
    let made = hook(&server, &receiver, vec![InteractionCompleted]).await;
    let (id, first) = (made.id.unwrap(), made.new_signing_secret.unwrap());
    let verifies = |secret: &str, request: &Request| {
        Verifier::new([secret]).unwrap().verify(&request.headers, &request.body).is_ok()
    };
    let second = webhooks.rotate_signing_secret(id.clone(), None).await.unwrap().secret;
    webhooks.ping(id.clone()).await.unwrap();
    let ping = deliveries(&receiver, 1).await.remove(0);
    assert!(verifies(first.as_str(), &ping) && verifies(second.as_str(), &ping));
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&ping.body).unwrap()["type"],
        "webhook.ping"
    );
    let shown = webhooks.get(id.clone()).await.unwrap();
    let secrets = shown.signing_secrets.unwrap();
    assert_eq!(secrets.len(), 2);
    assert!(secrets[0].expire_time.is_none() && secrets[1].expire_time.is_some());
    let hint = secrets[0].truncated_secret.as_deref().unwrap();
    assert!(second.as_str().starts_with(hint.trim_end_matches('…')) && hint.len() < 20);

    let revoke = Some(RevocationBehavior::RevokePreviousSecretsImmediately);
    let third = webhooks.rotate_signing_secret(id.clone(), revoke).await.unwrap().secret;
    webhooks.ping(id).await.unwrap();
    let ping = deliveries(&receiver, 2).await.remove(1);
    assert!(verifies(third.as_str(), &ping));
    assert!(!verifies(first.as_str(), &ping) && !verifies(second.as_str(), &ping));
}

#[tokio::test]
async fn addresses_of_a_request_take_the_place_of_webhooks_and_get_tokens() {
    let receiver = receiver(&[]).await;
    let mut config = config(&receiver);
    config.webhooks.issuer = Some("https://interactions.example.com".to_owned());
    let server = Harness::with(config).await;
    hook(&server, &receiver, vec![InteractionCompleted]).await;
    let uri = format!("{}/once", receiver.uri());
    let mut metadata = JsonObject::new();
    metadata.insert("job".to_owned(), json!(7));
    let named = WebhookConfig::new().uris(vec![uri.clone()]).user_metadata(metadata.clone());
    let request = CreateInteraction::new("scripted", "hi").background(true).webhook_config(named);
    server.client.create(request).await.unwrap();
    let request = deliveries(&receiver, 1).await.remove(0);
    assert_eq!(request.url.path(), "/once");
    let keys = "http://in-process/.well-known/jwks.json";
    let verifier = JwtVerifier::new(server.transport.clone(), keys, &uri)
        .issuer("https://interactions.example.com");
    let delivery = verifier.verify(&request.headers, &request.body).await.unwrap();
    let WebhookEvent::InteractionCompleted(event) = delivery.event().unwrap() else { panic!() };
    assert_eq!(event.user_metadata, Some(metadata));
    assert_eq!(delivery.id(), request.headers["webhook-id"]);
    let other = JwtVerifier::new(server.transport.clone(), keys, "https://else.example");
    assert!(other.verify(&request.headers, &request.body).await.is_err());
    // The event is among the claims, so another body is not believed.
    let body = String::from_utf8(request.body.clone()).unwrap().replace("\"job\":7", "\"job\":8");
    assert_ne!(body.as_bytes(), request.body);
    assert!(verifier.verify(&request.headers, body.as_bytes()).await.is_err());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1, "and nobody else was told");
}

#[tokio::test]
async fn with_an_interaction_goes_what_was_to_be_told_of_it() {
    let receiver = receiver(&[500, 500, 500, 500]).await;
    let mut config = config(&receiver);
    config.webhooks.retry = vec![Duration::from_secs(1); 3];
    let server = Harness::with(config).await;
    let named = WebhookConfig::new().uris(vec![format!("{}/once?token=x", receiver.uri())]);
    let request = CreateInteraction::new("scripted", "hi").background(true).webhook_config(named);
    let id = server.client.create(request).await.unwrap().id;
    deliveries(&receiver, 1).await;
    server.client.delete(&id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_delivered_to_is_refused_when_it_is_named() {
    let receiver = receiver(&[]).await;
    let server = Harness::with(config(&receiver)).await;
    for uri in [
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/",
        "http://localhost:1/",
        "ftp://x",
        "nonsense",
    ] {
        let input = WebhookInput::new(vec![InteractionCompleted], uri);
        let error = server.client.webhooks().create(&input).await.unwrap_err();
        assert_eq!(error.status(), Some(400), "{uri}");
        assert!(error.to_string().contains("`uri`"), "{uri}: {error}");
        let named = WebhookConfig::new().uris(vec![uri.to_owned()]);
        let request =
            CreateInteraction::new("scripted", "hi").background(true).webhook_config(named);
        let error = server.client.create(request).await.unwrap_err();
        assert!(error.to_string().contains("webhook_config.uris[0]"), "{uri}: {error}");
    }
    let foreground = CreateInteraction::new("scripted", "hi").webhook_config(WebhookConfig::new());
    let error = server.client.create(foreground).await.unwrap_err();
    assert!(error.to_string().contains("background"), "{error}");
    let nothing = WebhookInput::new(vec![], receiver.uri());
    let error = server.client.webhooks().create(&nothing).await.unwrap_err();
    assert!(error.to_string().contains("subscribed_events"), "{error}");
}

#[tokio::test]
async fn a_delivery_survives_the_process() {
    let receiver = receiver(&[500]).await;
    let mut config = config(&receiver);
    config.webhooks.retry = vec![Duration::from_secs(1); 3];
    let dir = directory();
    let server = Harness::at(dir.clone(), config.clone()).await;
    hook(&server, &receiver, vec![InteractionCompleted]).await;
    let id = background(&server, "hi").await;
    deliveries(&receiver, 1).await;
    server.server.close().await;
    let _next = Harness::at(dir, config).await;
    let requests = deliveries(&receiver, 2).await;
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
    assert!(String::from_utf8_lossy(&requests[1].body).contains(id.as_str()));
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let healthy = receiver(&[]).await;
    let hanging = MockServer::start().await;
    let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(any()).respond_with(never).mount(&hanging).await;
    let mut config = config(&healthy);
    config.egress.allow.push(hanging.address().to_string());
    config.webhooks.timeout = Duration::from_secs(30);
    let server = Harness::with(config).await;
    hook(&server, &hanging, vec![InteractionCompleted]).await;
    for _ in 0..12 {
        background(&server, "hi").await;
    }
    deliveries(&hanging, 4).await;
    hook(&server, &healthy, vec![InteractionCompleted]).await;
    let id = background(&server, "hi").await;
    let told = deliveries(&healthy, 1).await;
    assert!(String::from_utf8_lossy(&told[0].body).contains(id.as_str()));
    let kept_waiting = hanging.received_requests().await.unwrap().len();
    assert!(kept_waiting < 12, "one receiver had {kept_waiting} connections at once");
}

#[tokio::test]
async fn who_is_disabled_meanwhile_gets_nothing_more() {
    let receiver = receiver(&[500]).await;
    let mut config = config(&receiver);
    config.webhooks.retry = vec![Duration::from_secs(1); 3];
    let server = Harness::with(config).await;
    let id = hook(&server, &receiver, vec![InteractionCompleted]).await.id.unwrap();
    background(&server, "hi").await;
    deliveries(&receiver, 1).await;
    let update = WebhookUpdate::default().state(WebhookState::Disabled);
    server.client.webhooks().update(id.clone(), &update).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_at_the_same_time_all_stay() {
    let receiver = receiver(&[]).await;
    let server = Harness::with(config(&receiver)).await;
    let id = hook(&server, &receiver, vec![InteractionCompleted]).await.id.unwrap();
    let webhooks = server.client.webhooks();
    for round in 0..10 {
        let name = format!("round {round}");
        let events = vec![InteractionFailed, InteractionCancelled];
        let (renamed, subscribed) = (
            WebhookUpdate::default().name(name.clone()),
            WebhookUpdate::default().subscribed_events(events.clone()),
        );
        let revoke = Some(RevocationBehavior::RevokePreviousSecretsImmediately);
        let (named, subscribed, secret) = tokio::join!(
            webhooks.update(id.clone(), &renamed),
            webhooks.update(id.clone(), &subscribed),
            webhooks.rotate_signing_secret(id.clone(), revoke.clone()),
        );
        named.unwrap();
        subscribed.unwrap();
        secret.unwrap();
        let now = webhooks.get(id.clone()).await.unwrap();
        assert_eq!(now.name, Some(name));
        assert_eq!(now.subscribed_events, events);
        assert_eq!(now.signing_secrets.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn webhooks_are_their_tenant_s_and_their_secrets_nobody_s() {
    let receiver = receiver(&[]).await;
    let mut config = config(&receiver);
    config.auth.keys = vec![KeyConfig::new("a", "a"), KeyConfig::new("b", "b")];
    let dir = directory();
    let server = Harness::at(dir.clone(), config).await;
    let webhooks = server.client.webhooks();
    let input = WebhookInput::new(vec![InteractionCompleted], receiver.uri());
    let made = webhooks.create(&input).extra_header("x-goog-api-key", "a").await.unwrap();
    let (id, secret) = (made.id.unwrap(), made.new_signing_secret.unwrap());
    let as_other =
        |call: interactions_client::Call<Webhook>| call.extra_header("x-goog-api-key", "b");
    assert_eq!(as_other(webhooks.get(id.clone())).await.unwrap_err().status(), Some(404));
    let rename = WebhookUpdate::new().name("mine");
    assert_eq!(
        as_other(webhooks.update(id.clone(), &rename)).await.unwrap_err().status(),
        Some(404)
    );
    let list = |key: &'static str| {
        webhooks.list().with(move |call| call.extra_header("x-goog-api-key", key))
    };
    assert!(list("b").await.unwrap().webhooks.is_empty());
    let mine = list("a").await.unwrap().webhooks.remove(0);
    assert_eq!(mine.new_signing_secret, None);
    let renamed =
        webhooks.update(id.clone(), &rename).extra_header("x-goog-api-key", "a").await.unwrap();
    assert_eq!((renamed.name.as_deref(), &renamed.uri), (Some("mine"), &mine.uri));
    webhooks.delete(id.clone()).extra_header("x-goog-api-key", "a").await.unwrap();
    let gone = webhooks.get(id).extra_header("x-goog-api-key", "a").await.unwrap_err();
    assert_eq!(gone.status(), Some(404));
    server.server.close().await;
    let plain = secret.as_str().trim_start_matches("whsec_").as_bytes();
    for file in std::fs::read_dir(&dir).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(plain.len()).any(|window| window == plain));
    }
}
