//! Deliveries that are to be believed, and all the others.
//!
//! The keys in `keys/` were made for these tests and sign nothing else.
#![cfg(feature = "webhook")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use interactions_client::TransportErrorKind;
use interactions_client::webhook::{JwtVerifier, Verifier, VerifyErrorKind};
use interactions_testing::{Capture, Reply, capture};
use interactions_types::WebhookEvent;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use ring::{hmac, signature::KeyPair as _};
use serde_json::{Value, json};

const NOW: u64 = 1_614_265_330;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

// Shared secrets. The first vector is the one that Standard Webhooks publishes.

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn signed(signature: &str, seconds: u64) -> HeaderMap {
    headers(&[
        ("webhook-id", ID),
        ("webhook-timestamp", &seconds.to_string()),
        ("webhook-signature", signature),
    ])
}

fn sign(secret: &str, seconds: u64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let text = [format!("{ID}.{seconds}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text)))
}

fn kind(verifier: &Verifier, headers: &HeaderMap, body: &[u8]) -> Option<VerifyErrorKind> {
    verifier.verify_at(now(), headers, body).err().map(|error| error.kind())
}

#[test]
fn a_signature_of_the_secret_s_owner_is_believed() {
    let verifier = Verifier::new([SECRET]).unwrap();
    let delivery = verifier.verify_at(now(), &signed(SIGNATURE, NOW), BODY).unwrap();
    assert_eq!((delivery.id(), delivery.timestamp(), &delivery.body()[..]), (ID, now(), BODY));

    let body =
        br#"{"type":"interaction.completed","version":"v1","timestamp":"t","data":{"id":"v1_x"}}"#;
    let delivery = verifier.verify_at(now(), &signed(&sign(SECRET, NOW, body), NOW), body).unwrap();
    match delivery.event().unwrap() {
        WebhookEvent::InteractionCompleted(event) => assert_eq!(event.data.id.as_str(), "v1_x"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn secrets_overlap_while_they_rotate_and_signatures_may_be_many() {
    let (old, new) = (SECRET, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let both = Verifier::new([old, new]).unwrap();
    for secret in [old, new] {
        assert_eq!(kind(&both, &signed(&sign(secret, NOW, BODY), NOW), BODY), None);
    }
    let only_new = Verifier::new([new]).unwrap();
    let refused = Some(VerifyErrorKind::Signature);
    assert_eq!(kind(&only_new, &signed(SIGNATURE, NOW), BODY), refused);
    let several = format!("v1a,xxxx v1,AAAA {} {SIGNATURE}", sign(new, NOW, BODY));
    assert_eq!(kind(&only_new, &signed(&several, NOW), BODY), None);
}

#[test]
fn everything_else_is_not() {
    let verifier = Verifier::new([SECRET]).unwrap();
    let refused = Some(VerifyErrorKind::Signature);
    assert_eq!(kind(&verifier, &signed(SIGNATURE, NOW), b"{\"test\": 1}"), refused);
    for signature in ["v1,", "v1,!!", "v2,x", "g0hM9SsE", ",", "v1,AAAA", &SIGNATURE[3..]] {
        assert_eq!(kind(&verifier, &signed(signature, NOW), BODY), refused, "{signature}");
    }
    let mut twice = signed(SIGNATURE, NOW);
    twice.append("webhook-signature", HeaderValue::from_static("v1,AAAA"));
    assert_eq!(kind(&verifier, &twice, BODY), Some(VerifyErrorKind::Malformed));
    let whole =
        [("webhook-id", ID), ("webhook-timestamp", "1614265330"), ("webhook-signature", SIGNATURE)];
    for missing in 0..3 {
        let mut rest = whole.to_vec();
        rest.remove(missing);
        assert_eq!(kind(&verifier, &headers(&rest), BODY), Some(VerifyErrorKind::Missing));
    }
    for time in ["", "now", "-5", "1614265330.5", "99999999999999999999", "+1614265330"] {
        let mut headers = signed(SIGNATURE, NOW);
        headers.insert("webhook-timestamp", HeaderValue::from_str(time).unwrap());
        assert_eq!(kind(&verifier, &headers, BODY), Some(VerifyErrorKind::Malformed), "{time}");
    }
}

#[test]
fn the_window_has_exact_edges_on_both_sides() {
    let verifier = Verifier::new([SECRET]).unwrap();
    for (seconds, expected) in [
        (NOW - 300, None),
        (NOW + 300, None),
        (NOW - 301, Some(VerifyErrorKind::Expired)),
        (NOW + 301, Some(VerifyErrorKind::Expired)),
        (0, Some(VerifyErrorKind::Expired)),
        (u64::MAX / 4, Some(VerifyErrorKind::Expired)),
    ] {
        let headers = signed(&sign(SECRET, seconds, BODY), seconds);
        assert_eq!(kind(&verifier, &headers, BODY), expected, "{seconds}");
    }
    let patient = verifier.window(Duration::from_secs(3600));
    let old = NOW - 3600;
    assert_eq!(kind(&patient, &signed(&sign(SECRET, old, BODY), old), BODY), None);
}

#[test]
fn secrets_are_checked_and_never_shown() {
    for wrong in ["whsec_!!", "whsec_", ""] {
        let error = Verifier::new([wrong]).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::Config);
    }
    assert!(Verifier::new(Vec::<String>::new()).is_err());
    let shown = format!("{:?}", Verifier::new([SECRET]).unwrap());
    assert!(!shown.contains("MfKQ"), "{shown}");
}

// Keys of the service.

struct Signer {
    id: &'static str,
    key: KeyPair,
}

impl Signer {
    fn new(id: &'static str, der: &[u8]) -> Self {
        Self { id, key: KeyPair::from_pkcs8(der).unwrap() }
    }

    fn public(&self) -> Value {
        let parts: PublicKeyComponents<Vec<u8>> = self.key.public_key().into();
        json!({"kty": "RSA", "kid": self.id, "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(parts.n), "e": URL_SAFE_NO_PAD.encode(parts.e)})
    }

    fn token(&self, head: &Value, claims: &Value) -> String {
        let text = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn told(&self, claims: &Value) -> HeaderMap {
        told(&self.token(&json!({"alg": "RS256", "kid": self.id, "typ": "JWT"}), claims))
    }
}

fn one() -> Signer {
    Signer::new("k1", include_bytes!("keys/one.der"))
}

fn two() -> Signer {
    Signer::new("k2", include_bytes!("keys/two.der"))
}

fn told(token: &str) -> HeaderMap {
    headers(&[("webhook-timestamp", &NOW.to_string()), ("webhook-signature", token)])
}

fn keys(signers: &[&Signer]) -> Reply {
    let keys: Vec<_> = signers.iter().map(|signer| signer.public()).collect();
    Reply::json(json!({"keys": keys}).to_string())
}

fn verifier(service: &Capture) -> JwtVerifier {
    JwtVerifier::new(service.transport(), "http://keys.example/jwks.json", "https://me/hook")
}

fn claims() -> Value {
    json!({"aud": "https://me/hook", "iss": "google", "iat": NOW, "exp": NOW + 60})
}

async fn outcome(verifier: &JwtVerifier, headers: &HeaderMap) -> Option<VerifyErrorKind> {
    verifier.verify_at(now(), headers, BODY).await.err().map(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_service_is_believed_and_its_keys_are_kept() {
    let service = capture([keys(&[&one()])]);
    let verifier = verifier(&service).issuer("google");
    for _ in 0..3 {
        assert_eq!(outcome(&verifier, &one().told(&claims())).await, None);
    }
    assert_eq!(service.requests().len(), 1);
    let many = json!({"aud": ["x", "https://me/hook"], "iss": "google", "iat": NOW});
    assert_eq!(outcome(&verifier, &one().told(&many)).await, None);
}

#[tokio::test(start_paused = true)]
async fn claims_that_do_not_fit_are_refused() {
    let service = capture([keys(&[&one()])]);
    let verifier = verifier(&service).issuer("google");
    for (more, expected) in [
        (json!({"aud": "https://other"}), VerifyErrorKind::Audience),
        (json!({"aud": null}), VerifyErrorKind::Audience),
        (json!({"iss": "somebody"}), VerifyErrorKind::Signature),
        (json!({"exp": NOW - 301}), VerifyErrorKind::Expired),
        (json!({"nbf": NOW + 301}), VerifyErrorKind::Expired),
        (json!({"iat": NOW + 301}), VerifyErrorKind::Expired),
        (json!({"exp": "soon"}), VerifyErrorKind::Malformed),
        (json!({"exp": null, "iat": null}), VerifyErrorKind::Malformed),
        (json!({"exp": null, "iat": NOW - 301}), VerifyErrorKind::Expired),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(outcome(&verifier, &one().told(&claims)).await, Some(expected), "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_for_others_are_believed_only_on_demand() {
    let service = capture([keys(&[&one()])]);
    let mut claims = claims();
    claims["aud"] = "https://other".into();
    let strict = verifier(&service);
    assert_eq!(outcome(&strict, &one().told(&claims)).await, Some(VerifyErrorKind::Audience));
    assert_eq!(outcome(&strict.any_audience(), &one().told(&claims)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_signed_event_and_id_are_the_only_ones_that_are_believed() {
    let service = capture([keys(&[&one()])]);
    let verifier = verifier(&service);
    let mut claims = claims();
    claims["event"] = json!({"test": 2_432_232_314_u64});
    claims["jti"] = "msg_1".into();
    let headers = one().told(&claims);
    let delivery = verifier.verify_at(now(), &headers, BODY).await.unwrap();
    assert_eq!(delivery.id(), "msg_1");
    let spaced = br#" { "test":2432232314 } "#;
    assert!(verifier.verify_at(now(), &headers, spaced).await.is_ok());
    for other in [&br#"{"test": 1}"#[..], b"", b"not JSON"] {
        let refused = verifier.verify_at(now(), &headers, other).await.unwrap_err();
        assert_eq!(refused.kind(), VerifyErrorKind::Signature);
    }
    let mut renamed = headers.clone();
    renamed.insert("webhook-id", HeaderValue::from_static("msg_2"));
    assert_eq!(outcome(&verifier, &renamed).await, Some(VerifyErrorKind::Signature));
    renamed.insert("webhook-id", HeaderValue::from_static("msg_1"));
    assert_eq!(outcome(&verifier, &renamed).await, None);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_for_keys_stops_nobody_else() {
    let slow = keys(&[&one()]).after(Duration::from_secs(3));
    let service = capture([slow, keys(&[&one()])]);
    let verifier = verifier(&service);
    let headers = one().told(&claims());
    // A sender hangs up in the middle of the fetch.
    let hung_up = tokio::time::timeout(Duration::from_secs(1), outcome(&verifier, &headers)).await;
    assert!(hung_up.is_err());
    assert_eq!(outcome(&verifier, &headers).await, None);
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_nobody_waited_for_is_not_waited_for_again() {
    let slow = keys(&[&one()]).after(Duration::from_secs(3));
    let service = capture([slow, keys(&[&one()])]);
    let verifier = verifier(&service);
    let headers = one().told(&claims());
    let hung_up = tokio::time::timeout(Duration::from_secs(1), outcome(&verifier, &headers)).await;
    assert!(hung_up.is_err());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(outcome(&verifier, &headers).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_says_why_until_the_next_one() {
    let service = capture([Reply::error(500, "x", "x"), keys(&[&one()])]);
    let verifier = verifier(&service);
    let headers = one().told(&claims());
    for _ in 0..2 {
        let error = verifier.verify_at(now(), &headers, BODY).await.unwrap_err().to_string();
        assert!(error.contains("the answer is 500"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_choose_how_it_is_verified() {
    let service = capture([keys(&[&one()])]);
    let verifier = verifier(&service);
    assert_eq!(outcome(&verifier, &one().told(&claims())).await, None);

    let text = |head: Value| {
        [head, claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
    };
    // The public key as if it were a shared secret, the oldest trick.
    let public = one().public()["n"].as_str().unwrap().to_owned();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    let shared = text(json!({"alg": "HS256", "kid": "k1"}));
    let shared =
        format!("{shared}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&secret, shared.as_bytes())));
    let unsigned = format!("{}.", text(json!({"alg": "none", "kid": "k1"})));
    let other_key = two().token(&json!({"alg": "RS256", "kid": "k1"}), &claims());
    let (body, _) = one()
        .token(&json!({"alg": "RS256", "kid": "k1"}), &claims())
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    for token in [shared, unsigned, other_key, format!("{body}.AAAA")] {
        assert_eq!(
            outcome(&verifier, &told(&token)).await,
            Some(VerifyErrorKind::Signature),
            "{token}"
        );
    }
    for token in ["", "a", "a.b", "a.b.c", "e30.e30.e30", &"x".repeat(20_000)] {
        assert_eq!(
            outcome(&verifier, &told(token)).await,
            Some(VerifyErrorKind::Malformed),
            "{token}"
        );
    }
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_and_forged_ids_cost_nothing() {
    let service = capture([keys(&[&one()]), keys(&[&one(), &two()]), keys(&[&two()])]);
    let verifier = verifier(&service);
    let (first, second) = (one().told(&claims()), two().told(&claims()));
    assert_eq!(outcome(&verifier, &first).await, None);
    // Nobody knows the new key yet; it is looked up when the last look is long enough ago.
    assert_eq!(outcome(&verifier, &second).await, Some(VerifyErrorKind::Keys));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(outcome(&verifier, &second).await, None);
    for number in 0..100 {
        let head = json!({"alg": "RS256", "kid": format!("forged-{number}")});
        let forged = told(&two().token(&head, &claims()));
        assert_eq!(outcome(&verifier, &forged).await, Some(VerifyErrorKind::Keys));
    }
    assert_eq!(service.requests().len(), 2);
    // In time a withdrawn key is withdrawn here, too.
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert_eq!(outcome(&verifier, &first).await, Some(VerifyErrorKind::Signature));
    assert_eq!(outcome(&verifier, &second).await, None);
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_had_are_a_fault_that_passes() {
    for answer in [
        Reply::failure(TransportErrorKind::Connect),
        Reply::error(500, "x", "x"),
        Reply::json("<html>"),
        Reply::json(r#"{"keys":[{"kty":"EC","kid":"k1"}]}"#),
        Reply::json("x".repeat(300_000)),
        Reply::json("{").silent_after(1),
    ] {
        let service = capture([answer, keys(&[&one()])]);
        let verifier = verifier(&service);
        let headers = one().told(&claims());
        assert_eq!(outcome(&verifier, &headers).await, Some(VerifyErrorKind::Keys));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(outcome(&verifier, &headers).await, None);
        // Known keys outlive an outage.
        tokio::time::advance(Duration::from_secs(7200)).await;
        assert_eq!(outcome(&verifier, &headers).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_short_sign_nothing() {
    // 1024 bits; only its public half is needed, since nothing it signed may be believed.
    let weak = json!({"kty": "RSA", "kid": "k1", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode([0xc1_u8; 128])});
    let service = capture([Reply::json(json!({"keys": [weak]}).to_string())]);
    let verifier = verifier(&service);
    assert_eq!(outcome(&verifier, &one().told(&claims())).await, Some(VerifyErrorKind::Signature));
}
