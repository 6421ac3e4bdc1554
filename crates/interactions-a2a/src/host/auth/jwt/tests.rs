//! Tokens that are to be believed, and all the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use interactions_transport::{Body, Transport, TransportError, TransportErrorKind};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

use super::super::tests::head;
use super::super::{AnyOf, BearerKeys};
use super::*;
use UnauthenticatedKind::{
    Forbidden, NoCredentials, Unavailable, UnknownCredentials, WrongCredentials,
};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://agents.example.com";
const NOW: u64 = 1_800_000_000;
const JWKS: &str = include_str!("../../../../tests/cards/keys/jwks.json");

/// The identity provider, which counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Provider(Arc<Service>);

#[derive(Debug, Default)]
struct Service {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
}

#[derive(Clone, Debug, Default)]
enum Answer {
    #[default]
    Keys,
    These(String),
    Status(u16),
    Unreachable,
    Never,
    Late(Duration),
}

#[async_trait]
impl Transport for Provider {
    async fn send(&self, _: http::Request<Body>) -> Result<http::Response<Body>, TransportError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.answer.lock().expect("nobody panics with it").clone();
        let keys = || http::Response::new(Body::from(JWKS));
        match answer {
            Answer::Keys => Ok(keys()),
            Answer::These(text) => Ok(http::Response::new(Body::from(text))),
            Answer::Status(status) => {
                let response = http::Response::builder().status(status);
                Ok(response.body(Body::from(JWKS)).expect("the status is one"))
            }
            Answer::Unreachable => {
                Err(TransportError::new(TransportErrorKind::Connect, "nobody is there"))
            }
            Answer::Never => std::future::pending().await,
            Answer::Late(time) => {
                tokio::time::sleep(time).await;
                Ok(keys())
            }
        }
    }
}

impl Provider {
    fn tokens(&self) -> BearerJwt {
        let transport = SharedTransport::new(self.clone());
        BearerJwt::new(transport, "https://issuer.example/jwks.json", ISSUER, AUDIENCE)
            .expect("everything is named")
    }

    fn answers(&self, answer: Answer) {
        *self.0.answer.lock().expect("nobody panics with it") = answer;
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW + 300, "iat": NOW})
}

fn pkcs8(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).expect("the keys are base64")
}

/// What a key of the issuer signs.
fn signed(key: &str, message: &str) -> Vec<u8> {
    let random = SystemRandom::new();
    match key {
        "es256" | "stranger" => {
            let pem = match key {
                "es256" => include_str!("../../../../tests/cards/keys/es256.pem"),
                _ => include_str!("../../../../tests/cards/keys/stranger.pem"),
            };
            let key =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(pem), &random);
            let key = key.expect("it is a key");
            key.sign(&random, message.as_bytes()).expect("it signs").as_ref().to_vec()
        }
        "ed25519" => {
            let pem = include_str!("../../../../tests/cards/keys/ed25519.pem");
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8(pem)).expect("it is a key");
            key.sign(message.as_bytes()).as_ref().to_vec()
        }
        "rs256" => {
            let pem = include_str!("../../../../tests/cards/keys/rs256.pem");
            let key = RsaKeyPair::from_pkcs8(&pkcs8(pem)).expect("it is a key");
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                .expect("it signs");
            signature
        }
        other => panic!("there is no key {other}"),
    }
}

fn token_of(key: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(signed(key, &message));
    format!("{message}.{signature}")
}

fn token(claims: &Value) -> String {
    token_of("es256", r#"{"alg":"ES256","kid":"es256","typ":"JWT"}"#, &claims.to_string())
}

async fn outcome(tokens: &BearerJwt, token: &str) -> Result<String, UnauthenticatedKind> {
    let outcome = tokens.authenticate_at(now(), token).await;
    outcome.map(|caller| caller.owner().to_owned()).map_err(|refusal| refusal.kind())
}

#[tokio::test]
async fn tokens_of_the_issuer_name_their_owner() {
    let provider = Provider::default();
    let tokens = provider.tokens();
    let anna = Ok("https://issuer.example#anna".to_owned());
    for (key, algorithm) in
        [("es256", "ES256"), ("rs256", "RS256"), ("ed25519", "EdDSA"), ("ed25519", "Ed25519")]
    {
        for kind in ["", r#","typ":"JWT""#, r#","typ":"at+jwt""#, r#","typ":"application/at+JWT""#]
        {
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{key}"{kind}}}"#);
            let token = token_of(key, &header, &claims().to_string());
            assert_eq!(outcome(&tokens, &token).await, anna, "{header}");
        }
    }
    assert_eq!(provider.asked(), 1);

    let mut several = claims();
    several["aud"] = json!(["https://other.example", AUDIENCE]);
    several["scope"] = json!("a2a read");
    several["email"] = json!("anna@example.com");
    let caller = tokens.authenticate_at(now(), &token(&several)).await.unwrap();
    assert_eq!(caller.scopes().iter().collect::<Vec<_>>(), ["a2a", "read"]);
    let by_mail = provider.tokens().owner_claim("email");
    let caller = by_mail.authenticate_at(now(), &token(&several)).await.unwrap();
    assert_eq!(caller.owner(), "https://issuer.example#anna@example.com");
    assert_eq!(outcome(&by_mail, &token(&claims())).await, Err(WrongCredentials));
}

#[tokio::test]
async fn claims_decide() {
    let provider = Provider::default();
    let tokens = provider.tokens();
    let anna = || Ok("https://issuer.example#anna".to_owned());
    for (name, value, expected) in [
        ("iss", json!("https://evil.example"), Err(UnknownCredentials)),
        ("iss", json!("https://issuer.example/"), Err(UnknownCredentials)),
        ("iss", json!([ISSUER]), Err(UnknownCredentials)),
        ("iss", Value::Null, Err(UnknownCredentials)),
        ("aud", json!("https://other.example"), Err(WrongCredentials)),
        ("aud", json!("https://agents.example.com/"), Err(WrongCredentials)),
        ("aud", json!([]), Err(WrongCredentials)),
        ("aud", json!([[AUDIENCE]]), Err(WrongCredentials)),
        ("aud", json!({AUDIENCE: AUDIENCE}), Err(WrongCredentials)),
        ("aud", Value::Null, Err(WrongCredentials)),
        ("exp", json!(NOW), anna()),
        ("exp", json!(NOW - 59), anna()),
        ("exp", json!(NOW - 60), Err(WrongCredentials)),
        ("exp", json!(NOW as f64 - 59.5), anna()),
        ("exp", json!("never"), Err(WrongCredentials)),
        ("exp", json!((NOW + 300).to_string()), Err(WrongCredentials)),
        ("exp", Value::Null, Err(WrongCredentials)),
        ("exp", json!(-1), Err(WrongCredentials)),
        ("nbf", json!(NOW + 60), anna()),
        ("nbf", json!(NOW + 61), Err(WrongCredentials)),
        ("nbf", json!("0"), Err(WrongCredentials)),
        ("sub", json!(""), Err(WrongCredentials)),
        ("sub", json!(5), Err(WrongCredentials)),
        ("sub", Value::Null, Err(WrongCredentials)),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert_eq!(outcome(&tokens, &token(&claims)).await, expected, "{name} {value}");
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(outcome(&tokens, &token(&claims)).await, expected, "no {name}");
        }
    }
}

#[tokio::test]
async fn hostile_tokens_are_refused() {
    let provider = Provider::default();
    let tokens = provider.tokens();
    let (good, claims) = (token(&claims()), claims().to_string());
    assert!(outcome(&tokens, &good).await.is_ok());
    let signature = good.rsplit('.').next().unwrap().to_owned();
    let unsigned = |header: &str, signature: &str| {
        let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&claims));
        format!("{header}.{claims}.{signature}")
    };
    // The oldest trick: the public key, which everybody knows, as a shared secret.
    let with_public_key = |secret: &[u8]| {
        let message = unsigned(r#"{"alg":"HS256","kid":"es256"}"#, "");
        let message = message.trim_end_matches('.');
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let es256 = r#"{"alg":"ES256","kid":"es256"}"#;
    let twice = claims.replacen('{', r#"{"sub":"admin","#, 1);
    let changed = claims.replace("anna", "bert");
    for (what, token) in [
        ("alg none", unsigned(r#"{"alg":"none","kid":"es256"}"#, "")),
        ("alg nOnE", unsigned(r#"{"alg":"nOnE","kid":"es256"}"#, &signature)),
        ("HS256 with the JWKS", with_public_key(JWKS.as_bytes())),
        ("HS256 with the point", with_public_key(&[4; 65])),
        ("HS256 with nothing", with_public_key(b"")),
        ("no alg", token_of("es256", r#"{"kid":"es256"}"#, &claims)),
        ("no kid", token_of("es256", r#"{"alg":"ES256"}"#, &claims)),
        ("empty kid", token_of("es256", r#"{"alg":"ES256","kid":""}"#, &claims)),
        ("kid of another key", token_of("es256", r#"{"alg":"ES256","kid":"rs256"}"#, &claims)),
        ("alg of another key", token_of("es256", r#"{"alg":"RS256","kid":"es256"}"#, &claims)),
        ("RS256 for ES256", token_of("rs256", r#"{"alg":"RS256","kid":"es256"}"#, &claims)),
        ("unknown kid", token_of("stranger", r#"{"alg":"ES256","kid":"stranger"}"#, &claims)),
        ("a stranger's signature", token_of("stranger", es256, &claims)),
        ("its own key", token_of("stranger", r#"{"alg":"ES256","kid":"es256","jwk":{}}"#, &claims)),
        ("crit", token_of("es256", r#"{"alg":"ES256","kid":"es256","crit":["x"],"x":1}"#, &claims)),
        ("b64", token_of("es256", r#"{"alg":"ES256","kid":"es256","b64":false}"#, &claims)),
        (
            "a header field twice",
            token_of("es256", r#"{"alg":"none","alg":"ES256","kid":"es256"}"#, &claims),
        ),
        ("claims with one twice", token_of("es256", es256, &twice)),
        (
            "a signed card",
            token_of("es256", r#"{"alg":"ES256","kid":"es256","typ":"JOSE"}"#, &claims),
        ),
        (
            "a logout token",
            token_of("es256", r#"{"alg":"ES256","kid":"es256","typ":"logout+jwt"}"#, &claims),
        ),
        ("claims that are no object", token_of("es256", es256, "[]")),
        ("claims that are no JSON", token_of("es256", es256, "{")),
        ("no signature", unsigned(es256, "")),
        ("a signature in DER", unsigned(es256, "MEUCIQ")),
        ("a signature that is no base64", unsigned(es256, "!!!")),
        ("padded", format!("{good}==")),
        ("other claims", {
            let header = URL_SAFE_NO_PAD.encode(es256);
            format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(&changed))
        }),
        ("huge", format!("{good}{}", "A".repeat(20_000))),
        (
            "huge header",
            token_of(
                "es256",
                &format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(20_000)),
                &claims,
            ),
        ),
    ] {
        // What has no claims that can be read may be somebody else's key.
        let kind = if what.starts_with("claims") { UnknownCredentials } else { WrongCredentials };
        assert_eq!(outcome(&tokens, &token).await, Err(kind), "{what}");
        let refusal = tokens.authenticate_at(now(), &token).await.unwrap_err();
        assert_eq!(refusal.status(), 401, "{what}");
        assert_eq!(refusal.challenge(), Some(r#"Bearer realm="a2a", error="invalid_token""#));
        assert!(refusal.to_string().len() < 200 && !refusal.to_string().contains("anna"));
    }
    // These may be somebody else's, and are refused all the same.
    for token in ["opaque", "a.b", "a.b.c.d.e", "..", "."] {
        let kind = outcome(&tokens, token).await.unwrap_err();
        assert!(matches!(kind, UnknownCredentials | WrongCredentials), "{token} {kind:?}");
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn scopes_may_be_demanded_and_are_declared() {
    let tokens = Provider::default().tokens().require_scope("a2a").require_scope("write");
    let mut claims = claims();
    for (name, scopes, expected) in [
        ("scope", json!("a2a write read"), None),
        ("scp", json!(["write", "a2a"]), None),
        ("scope", json!("a2a"), Some(Forbidden)),
        ("scope", json!("a2a,write"), Some(Forbidden)),
        ("scp", Value::Null, Some(Forbidden)),
    ] {
        claims.as_object_mut().unwrap().retain(|name, _| name != "scope" && name != "scp");
        claims[name] = scopes;
        let refusal = tokens.authenticate_at(now(), &token(&claims)).await.err();
        assert_eq!(refusal.as_ref().map(Unauthenticated::kind), expected, "{claims}");
        if let Some(refusal) = refusal {
            let challenge = r#"Bearer realm="a2a", error="insufficient_scope", scope="a2a write""#;
            assert_eq!((refusal.status().as_u16(), refusal.challenge()), (403, Some(challenge)));
        }
    }
    assert_eq!(tokens.requirements()[0]["jwt"], ["a2a", "write"]);
    let declared = serde_json::to_value(tokens.schemes()).unwrap();
    assert_eq!(declared["jwt"]["httpAuthSecurityScheme"]["bearerFormat"], "JWT");
}

#[tokio::test]
async fn headers_and_other_ways_beside() {
    let tokens = Provider::default().tokens();
    for (headers, expected) in [
        (&[][..], NoCredentials),
        (&[("authorization", "Basic YTpi")], NoCredentials),
        (&[("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")], WrongCredentials),
    ] {
        let refusal = tokens.authenticate(&head(headers)).await.unwrap_err();
        assert_eq!(refusal.kind(), expected, "{headers:?}");
    }
    // An expired token of this issuer is not somebody else's; a key is, whatever comes first.
    let keys = BearerKeys::new([("opaque", "cron")]).unwrap();
    for any in [AnyOf::new().or(tokens.clone()).or(keys.clone()), AnyOf::new().or(keys).or(tokens)]
    {
        let caller = any.authenticate(&head(&[("authorization", "Bearer opaque")])).await.unwrap();
        assert_eq!(caller.owner(), "cron");
        let mut old = claims();
        old["exp"] = json!(5);
        let header = format!("Bearer {}", token(&old));
        let refusal = any.authenticate(&head(&[("authorization", &header)])).await.unwrap_err();
        assert_eq!(refusal.kind(), WrongCredentials);
        let mut lasting = claims();
        lasting["exp"] = json!(9_000_000_000_u64);
        let header = format!("Bearer {}", token(&lasting));
        let caller = any.authenticate(&head(&[("authorization", &header)])).await.unwrap();
        assert_eq!(caller.owner(), "https://issuer.example#anna");
    }
}

#[tokio::test(start_paused = true)]
async fn forged_tokens_do_not_make_it_fetch() {
    let provider = Provider::default();
    let tokens = provider.tokens();
    let unknown = |number: usize| {
        let header = format!(r#"{{"alg":"ES256","kid":"forged-{number}"}}"#);
        token_of("stranger", &header, &claims().to_string())
    };
    // Neither do those that show already that they are not for us.
    let mut other = claims();
    other["aud"] = json!("x");
    assert_eq!(outcome(&tokens, &token(&other)).await, Err(WrongCredentials));
    assert_eq!(provider.asked(), 0);
    for number in 0..50 {
        assert_eq!(outcome(&tokens, &unknown(number)).await, Err(WrongCredentials));
        // Nor do callers who go away at once.
        let _ = outcome(&tokens, &unknown(number)).now_or_never();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 2);
    assert!(outcome(&tokens, &token(&claims())).await.is_ok());
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(outcome(&tokens, &token(&claims())).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_and_outlive_an_outage() {
    let provider = Provider::default();
    let tokens = provider.tokens();
    let good = token(&claims());
    let mut only: Value = serde_json::from_str(JWKS).unwrap();
    only["keys"].as_array_mut().unwrap().retain(|key| key["kid"] == "rs256");
    provider.answers(Answer::These(only.to_string()));
    assert_eq!(outcome(&tokens, &good).await, Err(WrongCredentials));
    // The issuer has a new key, which is found when there has been patience enough.
    provider.answers(Answer::Keys);
    assert_eq!(outcome(&tokens, &good).await, Err(WrongCredentials));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(outcome(&tokens, &good).await.is_ok());
    assert_eq!(provider.asked(), 2);

    for (hour, answer) in [
        Answer::Status(500),
        Answer::Unreachable,
        Answer::These("<html>".to_owned()),
        Answer::These("{}".to_owned()),
        Answer::These(r#"{"keys":[]}"#.to_owned()),
        Answer::These(format!(r#"{{"keys":[{}]}}"#, " ".repeat(300 * 1024))),
        Answer::Never,
    ]
    .into_iter()
    .enumerate()
    {
        provider.answers(answer.clone());
        tokio::time::advance(Duration::from_secs(3601)).await;
        assert!(outcome(&tokens, &good).await.is_ok(), "{answer:?}");
        assert!(outcome(&tokens, &good).await.is_ok(), "{answer:?}");
        assert_eq!(provider.asked(), 3 + hour);
        let forged = token_of("stranger", r#"{"alg":"ES256","kid":"x"}"#, &claims().to_string());
        assert_eq!(outcome(&tokens, &forged).await, Err(Unavailable), "{answer:?}");
    }
    // A key that the issuer has withdrawn goes.
    provider.answers(Answer::These(only.to_string()));
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert_eq!(outcome(&tokens, &good).await, Err(WrongCredentials));
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_it_is_unavailable() {
    let provider = Provider::default();
    provider.answers(Answer::Unreachable);
    let tokens = provider.tokens();
    let good = token(&claims());
    for _ in 0..5 {
        let refusal = tokens.authenticate_at(now(), &good).await.unwrap_err();
        assert_eq!((refusal.kind(), refusal.status().as_u16()), (Unavailable, 503));
        assert!(!refusal.to_string().contains("nobody is there"), "{refusal}");
    }
    assert_eq!(provider.asked(), 1);
    provider.answers(Answer::Keys);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(outcome(&tokens, &good).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn callers_who_go_away_neither_stop_nor_lock_the_look() {
    let provider = Provider::default();
    provider.answers(Answer::Late(Duration::from_secs(9)));
    let tokens = provider.tokens();
    let good = token(&claims());
    for _ in 0..3 {
        assert!(outcome(&tokens, &good).now_or_never().is_none());
    }
    // Nobody waits; the look goes on, and whoever comes later has what it found.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(
        outcome(&tokens, &good).now_or_never(),
        Some(Ok("https://issuer.example#anna".to_owned()))
    );
    assert_eq!(provider.asked(), 1);

    let provider = Provider::default();
    provider.answers(Answer::Late(Duration::from_secs(5)));
    let tokens = provider.tokens();
    let many: Vec<_> = (0..20).map(|_| outcome(&tokens, &good)).collect();
    assert!(futures::future::join_all(many).await.iter().all(Result::is_ok));
    assert_eq!(provider.asked(), 1);
}

#[test]
fn what_is_not_named_is_refused() {
    let new = |url: &str, issuer: &str, audience: &str| {
        let transport = SharedTransport::new(Provider::default());
        BearerJwt::new(transport, url, issuer, audience).map_err(|error| error.to_string())
    };
    let good = "https://issuer.example/jwks.json";
    for (url, issuer, audience, why) in [
        ("http://issuer.example/jwks.json", ISSUER, AUDIENCE, "https"),
        ("ftp://issuer.example/jwks.json", ISSUER, AUDIENCE, "https"),
        ("jwks.json", ISSUER, AUDIENCE, "https"),
        (good, "", AUDIENCE, "iss"),
        (good, "https://a#b", AUDIENCE, "#"),
        (good, ISSUER, "", "aud"),
    ] {
        let error = new(url, issuer, audience).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    for url in [good, "http://localhost:8080/jwks", "http://127.0.0.1/jwks", "http://[::1]/jwks"] {
        assert!(new(url, ISSUER, AUDIENCE).is_ok(), "{url}");
    }
}
