//! Signed cards: by the Python and JS SDKs, by us, and by those who should not be believed.
//!
//! `cards/python.json` and `cards/js.json` were signed by a2a-sdk 1.3.0 and @a2a-js/sdk 1.3.0;
//! both SDKs verify `cards/ours.json`. The keys in `cards/keys/` sign nothing else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interactions_a2a::wire::AgentCard;
use interactions_a2a::{CardSigner, CardVerifier, SignatureErrorKind};
use serde_json::{Value, json};

const ES256: &str = include_str!("cards/keys/es256.pem");
const ED25519: &str = include_str!("cards/keys/ed25519.pem");
const STRANGER: &str = include_str!("cards/keys/stranger.pem");

fn jwks() -> Value {
    serde_json::from_str(include_str!("cards/keys/jwks.json")).unwrap()
}

fn verifier() -> CardVerifier {
    CardVerifier::new(&jwks()).unwrap()
}

fn vectors() -> Vec<Value> {
    let files = [
        include_str!("cards/python.json"),
        include_str!("cards/js.json"),
        include_str!("cards/ours.json"),
    ];
    files.iter().flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap()).collect()
}

fn outcome(card: &Value) -> Result<String, SignatureErrorKind> {
    let verified = verifier().verify(card);
    verified.map(|verified| verified.key_id().to_owned()).map_err(|error| error.kind())
}

/// The parts of a card that a change of theirs must break. What the SDKs do not sign is not there:
/// fields that 1.0 has no name for, and anything empty.
const COVERED: &[&str] = &[
    "/name",
    "/version",
    "/description",
    "/supportedInterfaces/0/url",
    "/supportedInterfaces/1/tenant",
    "/provider/organization",
    "/capabilities/streaming",
    "/capabilities/pushNotifications",
    "/capabilities/extensions/0/params/a",
    "/capabilities/extensions/0/params/k",
    "/capabilities/extensions/0/params/f",
    "/securitySchemes/b/httpAuthSecurityScheme/scheme",
    "/securitySchemes/k/apiKeySecurityScheme/name",
    "/securitySchemes/o/oauth2SecurityScheme/flows/authorizationCode/pkceRequired",
    "/securitySchemes/o/oauth2SecurityScheme/flows/authorizationCode/scopes/write",
    "/securitySchemes/m/mtlsSecurityScheme/description",
    "/securityRequirements/0/schemes/o/list/0",
    "/skills/0/securityRequirements/0/schemes/o/list/0",
    "/skills/0/id",
];

#[test]
fn cards_that_the_sdks_have_signed_are_believed_and_changed_ones_are_not() {
    let mut changes = 0;
    for vector in vectors() {
        let (name, card) = (vector["name"].as_str().unwrap(), &vector["card"]);
        assert_eq!(outcome(card), Ok(vector["kid"].as_str().unwrap().to_owned()), "{name}");
        for &path in COVERED {
            let mut changed = card.clone();
            // What is empty is not signed in every form, and its change need not be noticed.
            let Some(field) = changed.pointer_mut(path).filter(|field| **field != "") else {
                continue;
            };
            *field = json!("changed");
            changes += 1;
            assert_eq!(outcome(&changed), Err(SignatureErrorKind::Mismatch), "{name} {path}");
        }
        let mut added = card.clone();
        added["securitySchemes"]["more"] = json!({"httpAuthSecurityScheme": {"scheme": "Basic"}});
        assert_eq!(outcome(&added), Err(SignatureErrorKind::Mismatch), "{name}");
    }
    assert!(changes > 300, "{changes}");
}

#[test]
fn what_the_sdks_verified_is_what_is_signed_today() {
    // Ed25519 always makes the same signature of the same bytes.
    let signer = CardSigner::from_pem(ED25519, "ed25519").unwrap();
    let ours: Vec<Value> = serde_json::from_str(include_str!("cards/ours.json")).unwrap();
    let mut counts = Vec::new();
    for vector in ours.iter().filter(|vector| vector["kid"] == "ed25519") {
        let signatures = signer.sign(&vector["card"]).unwrap();
        assert_eq!(json!(signatures), vector["card"]["signatures"], "{}", vector["name"]);
        counts.push((vector["name"].as_str().unwrap(), signatures.len()));
    }
    // One more where the specification keeps something that the SDKs drop, another for the fields
    // that 1.0 has no name for.
    assert_eq!(
        counts,
        [
            ("ours open", 1),
            ("ours bearer", 2),
            ("ours schemes", 1),
            ("ours empties", 2),
            ("ours unicode", 1),
            ("ours numbers", 1),
            ("ours legacy", 3),
        ]
    );
}

#[test]
fn a_verified_card_has_what_its_signature_covers_and_no_more() {
    let find = |name: &str| {
        let found = vectors().into_iter().find(|vector| vector["name"] == name);
        found.unwrap()["card"].clone()
    };
    let mut of_sdk = find("js open");
    of_sdk["url"] = json!("https://evil.example");
    of_sdk["skills"][0]["later"] = json!("evil");
    let verified = verifier().verify(&of_sdk).unwrap();
    assert_eq!(verified.card().get("url"), None);
    assert_eq!(verified.card()["skills"][0].get("later"), None);
    assert_eq!(verified.card()["skills"][0]["id"], "find");
    assert_eq!(verified.card().get("signatures"), None);

    // Ours covers them, unless somebody takes that signature away.
    let ours = find("ours legacy");
    let verified = verifier().verify(&ours).unwrap();
    assert_eq!(verified.card()["somethingNew"], json!({"x": 1}));
    let mut changed = ours.clone();
    changed["somethingNew"] = json!({"x": 2});
    assert_eq!(verifier().verify(&changed).unwrap().card().get("somethingNew"), None);
    serde_json::from_value::<AgentCard>(verified.into_card()).unwrap();
}

#[test]
fn both_kinds_of_keys_sign_values_and_decoded_cards() {
    for (pem, kid) in [(ES256, "es256"), (ED25519, "ed25519")] {
        let signer = CardSigner::from_pem(pem, kid).unwrap().jku("https://example.com/jwks.json");
        let published = json!({"keys": [signer.public_jwk()]});
        let listed = jwks()["keys"].as_array().unwrap().clone();
        let listed = listed.into_iter().find(|key| key["kid"] == kid).unwrap();
        assert_eq!(published["keys"][0], listed);

        for vector in vectors() {
            let mut card = vector["card"].clone();
            card["signatures"] = json!(signer.sign(&card).unwrap());
            let verified = CardVerifier::new(&published).unwrap().verify(&card).unwrap();
            assert_eq!(verified.key_id(), kid);
            let header = card["signatures"][0]["protected"].as_str().unwrap();
            let header: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
            assert_eq!(header["typ"], "JOSE");
            assert_eq!(header["jku"], "https://example.com/jwks.json");
            assert_eq!(verified.card().get("signatures"), None);

            if let Ok(mut typed) = serde_json::from_value::<AgentCard>(vector["card"].clone()) {
                typed.signatures = None;
                signer.sign_card(&mut typed).unwrap();
                assert_eq!(verifier().verify_card(&typed).unwrap(), kid);
            }
        }
    }
}

/// A card with one signature made by hand.
fn forged(header: &str, payload: &str, more: &Value) -> Value {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let der: String = ES256.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
    let random = ring::rand::SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).unwrap();
    let protected = URL_SAFE_NO_PAD.encode(header);
    let input = format!("{protected}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&random, input.as_bytes()).unwrap());
    let mut entry = json!({"protected": protected, "signature": signature});
    if let Some(more) = more.as_object() {
        entry.as_object_mut().unwrap().extend(more.clone());
    }
    json!({"name": "a", "signatures": [entry]})
}

#[test]
fn headers_that_mislead_are_refused_though_the_key_signed_them() {
    let payload = URL_SAFE_NO_PAD.encode(r#"{"name":"a"}"#);
    let none = json!(null);
    let good = r#"{"alg":"ES256","kid":"es256"}"#;
    assert_eq!(outcome(&forged(good, &payload, &none)), Ok("es256".to_owned()));
    use SignatureErrorKind::{Malformed, Mismatch, UnknownKey};
    for (header, kind) in [
        (r#"{"alg":"none","kid":"es256"}"#, Malformed),
        (r#"{"alg":"HS256","kid":"es256"}"#, Malformed),
        (r#"{"alg":"ES384","kid":"es256"}"#, Malformed),
        (r#"{"alg":"RS256","kid":"es256"}"#, Mismatch),
        (r#"{"alg":"EdDSA","kid":"es256"}"#, Mismatch),
        (r#"{"alg":"ES256","kid":"rs256"}"#, Mismatch),
        (r#"{"alg":"ES256","kid":"ed25519"}"#, Mismatch),
        (r#"{"alg":"ES256","kid":"other"}"#, UnknownKey),
        (r#"{"alg":"ES256","kid":"ES256"}"#, UnknownKey),
        (r#"{"alg":"ES256"}"#, Malformed),
        (r#"{"alg":"ES256","kid":"es256","crit":["b64"],"b64":true}"#, Malformed),
        (r#"{"alg":"ES256","kid":"es256","crit":["later"],"later":1}"#, Malformed),
        (r#"{"alg":"ES256","kid":"es256","b64":false}"#, Malformed),
        (r#"{"alg":"ES256","kid":"es256","kid":"es256"}"#, Malformed),
    ] {
        assert_eq!(outcome(&forged(header, &payload, &none)), Err(kind), "{header}");
    }
    // A payload that is not encoded must not be taken for one that is.
    assert_eq!(outcome(&forged(good, r#"{"name":"a"}"#, &none)), Err(Mismatch));
    for (more, expected) in [
        (json!({"header": {"note": 1}}), Ok("es256".to_owned())),
        (json!({"header": null}), Ok("es256".to_owned())),
        (json!({"header": {"crit": ["x"]}}), Err(Malformed)),
        (json!({"header": {"b64": false}}), Err(Malformed)),
        (json!({"header": {"alg": "none"}}), Err(Malformed)),
        (json!({"header": {"kid": "es256"}}), Err(Malformed)),
        (json!({"header": []}), Err(Malformed)),
        (json!({"signature": ""}), Err(Mismatch)),
        (json!({"signature": "AAAA"}), Err(Mismatch)),
        (json!({"signature": "!"}), Err(Malformed)),
        (json!({"signature": 5}), Err(Malformed)),
        (json!({"protected": ""}), Err(Malformed)),
        (json!({"protected": "A".repeat(100_000)}), Err(Malformed)),
    ] {
        assert_eq!(outcome(&forged(good, &payload, &more)), expected, "{more}");
    }
}

#[test]
fn one_signature_of_a_trusted_key_is_enough_and_none_is_not() {
    let card = json!({"name": "a", "version": "1"});
    let sign = |pem: &str, kid: &str| {
        CardSigner::from_pem(pem, kid).unwrap().sign(&card).unwrap().remove(0)
    };
    let with = |signatures: Value| {
        let mut card = card.clone();
        card["signatures"] = signatures;
        card
    };
    let (good, strange) = (sign(ES256, "es256"), sign(STRANGER, "stranger"));
    let posing = sign(STRANGER, "es256");
    assert_eq!(outcome(&with(json!([strange, {}, posing, good]))), Ok("es256".to_owned()));
    use SignatureErrorKind::{Malformed, Mismatch, UnknownKey, Unsigned};
    for (signatures, kind) in [
        (json!([]), Unsigned),
        (json!(null), Unsigned),
        (json!({}), Malformed),
        (json!(["x", null, 5]), Malformed),
        (json!([strange]), UnknownKey),
        (json!([strange, {}]), UnknownKey),
        (json!([posing, strange]), Mismatch),
        (json!(vec![good.clone(); 33]), Malformed),
    ] {
        assert_eq!(outcome(&with(signatures.clone())), Err(kind), "{signatures}");
    }
    assert_eq!(outcome(&json!("card")), Err(Unsigned));
    let error = verifier().verify(&with(json!([strange]))).unwrap_err();
    assert!(
        error.to_string().contains("`signatures[0]`") && error.to_string().contains("`stranger`")
    );

    let text = format!(r#"{{"name":"b","name":"a","version":"1","signatures":{}}}"#, json!([good]));
    let once = text.replace(r#""name":"b","#, "");
    assert_eq!(verifier().verify_bytes(once.as_bytes()).unwrap().key_id(), "es256");
    assert!(verifier().verify(&serde_json::from_str(&text).unwrap()).is_ok());
    assert_eq!(verifier().verify_bytes(text.as_bytes()).unwrap_err().kind(), Malformed);
}

#[test]
fn keys_and_cards_that_cannot_be_used_say_why() {
    let key = SignatureErrorKind::Key;
    let rsa = include_str!("cards/keys/rs256.pem");
    let sec1 = ES256.replace("PRIVATE KEY", "EC PRIVATE KEY");
    for (pem, kid, why) in [
        (ES256, "", "kid"),
        (rsa, "a", "P-256"),
        (&sec1, "a", "pkcs8"),
        ("", "a", "pkcs8"),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "a", "pkcs8"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "a", "P-256"),
    ] {
        let error = CardSigner::from_pem(pem, kid).unwrap_err();
        assert_eq!(error.kind(), key);
        assert!(error.to_string().contains(why), "{error}");
    }
    let mut twice = jwks();
    let first = twice["keys"][0].clone();
    twice["keys"].as_array_mut().unwrap().push(first);
    let weak: Value = serde_json::from_str(include_str!("cards/keys/weak.json")).unwrap();
    for (set, why) in [
        (json!({}), "keys"),
        (json!({"keys": []}), "empty"),
        (twice, "two trusted keys"),
        (weak, "2048"),
        (json!({"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]}), "only EC"),
    ] {
        let error = CardVerifier::new(&set).unwrap_err();
        assert_eq!(error.kind(), key);
        assert!(error.to_string().contains(why), "{error}");
    }
    let signer = CardSigner::from_pem(ES256, "es256").unwrap();
    for card in [json!([]), json!({"capabilities": {"x": 9_007_199_254_740_993_i64}})] {
        assert_eq!(signer.sign(&card).unwrap_err().kind(), SignatureErrorKind::Card);
    }
    let shown = format!("{signer:?}");
    assert!(shown.contains("es256") && shown.contains("ES256") && shown.len() < 100, "{shown}");
}
