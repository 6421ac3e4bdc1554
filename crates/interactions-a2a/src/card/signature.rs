//! Signed cards: signing and verifying them (JWS with a detached payload, RFC 7515).

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::canonical::{self, Form, canonical};
use crate::jose::{self, Algorithm, Header, PublicKey, shortened};
use crate::wire::{AgentCard, AgentCardSignature};

/// No honest card has more signatures.
const SIGNATURES: usize = 32;
/// No honest header is longer, in characters.
const HEADER_LENGTH: usize = 8 * 1024;

/// Signs cards, with a P-256 key (ES256) or an Ed25519 key (EdDSA). Clones share the key.
///
/// ```
/// use interactions_a2a::{CardSigner, CardVerifier};
/// use serde_json::json;
///
/// # fn sign(pem: &str) -> Result<(), interactions_a2a::SignatureError> {
/// // From `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
/// let signer = CardSigner::from_pem(pem, "key-1")?;
/// let mut card = json!({"name": "Librarian", "description": "Finds books."});
/// card["signatures"] = json!(signer.sign(&card)?);
///
/// let verifier = CardVerifier::new(&json!({"keys": [signer.public_jwk()]}))?;
/// assert_eq!(verifier.verify(&card)?.key_id(), "key-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct CardSigner {
    key: Arc<PrivateKey>,
    key_id: String,
    jku: Option<String>,
}

enum PrivateKey {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl CardSigner {
    /// A signer with a private key as PKCS#8 in PEM, the text that starts with
    /// `-----BEGIN PRIVATE KEY-----`. `key_id` (`kid`) is what verifiers find the public key by.
    ///
    /// # Errors
    /// [`SignatureErrorKind::Key`] when the text is no such key.
    pub fn from_pem(pem: &str, key_id: impl Into<String>) -> Result<Self, SignatureError> {
        let body = pem
            .split_once("-----BEGIN PRIVATE KEY-----")
            .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
            .map(|(body, _)| body.split_whitespace().collect::<String>());
        let der = body.and_then(|body| STANDARD.decode(body).ok()).ok_or_else(|| {
            SignatureError::key(
                "the signing key is no PEM with `BEGIN PRIVATE KEY`; `openssl pkcs8 -topk8 -nocrypt` \
                 makes one of other private keys",
            )
        })?;
        Self::from_pkcs8(&der, key_id)
    }

    /// A signer with a private key as PKCS#8 in DER.
    ///
    /// # Errors
    /// [`SignatureErrorKind::Key`] when the bytes are no such key, of P-256 or Ed25519.
    pub fn from_pkcs8(der: &[u8], key_id: impl Into<String>) -> Result<Self, SignatureError> {
        let key_id = key_id.into();
        if key_id.is_empty() {
            return Err(SignatureError::key(
                "the signing key needs an id (`kid`) by which verifiers find it",
            ));
        }
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
            .map(PrivateKey::Es256)
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(PrivateKey::EdDsa))
            .map_err(|_| {
                SignatureError::key(
                    "the signing key is neither P-256 nor Ed25519 in PKCS#8; \
                     `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one",
                )
            })?;
        Ok(Self { key: Arc::new(key), key_id, jku: None })
    }

    /// Tells verifiers where the public key is published: an HTTPS address of a JSON Web Key Set.
    pub fn jku(mut self, url: impl Into<String>) -> Self {
        self.jku = Some(url.into());
        self
    }

    /// The id by which verifiers find the public key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key, to publish in a JSON Web Key Set (RFC 7517).
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &*self.key {
            PrivateKey::Es256(key) => {
                // An uncompressed point: a four, then both coordinates.
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": part(x), "y": part(y)})
            }
            PrivateKey::EdDsa(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": part(key.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(self.key_id);
        jwk["alg"] = json!(self.algorithm().name());
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs a card as it will be sent; `signatures` that it has already are not looked at.
    ///
    /// There is one signature for each reading of the card. The Python and JS SDKs leave out all
    /// that is empty, the specification keeps what is REQUIRED or was set, and some peers read only
    /// the fields of 1.0. Where these do not differ there is one signature; verifiers are content
    /// with any.
    ///
    /// # Errors
    /// [`SignatureErrorKind::Card`] when the card has no canonical form, for example because of a
    /// number that is not exact as a double.
    pub fn sign(&self, card: &Value) -> Result<Vec<AgentCardSignature>, SignatureError> {
        if !card.is_object() {
            return Err(SignatureError::card("a card is a JSON object"));
        }
        let mut header = json!({"alg": self.algorithm().name(), "kid": self.key_id, "typ": "JOSE"});
        if let Some(jku) = &self.jku {
            header["jku"] = json!(jku);
        }
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let mut payloads: Vec<String> = Vec::new();
        for form in [Form::Sdk, Form::Known, Form::Whole] {
            let payload = canonical(card, form).map_err(SignatureError::card)?;
            if !payloads.contains(&payload) {
                payloads.push(payload);
            }
        }
        let sign = |payload: &String| {
            let signature = self.key.sign(signing_input(&protected, payload).as_bytes())?;
            Ok(AgentCardSignature {
                protected: protected.clone(),
                signature: URL_SAFE_NO_PAD.encode(signature),
                header: None,
            })
        };
        payloads.iter().map(sign).collect()
    }

    /// Signs a card in place, in addition to the signatures that it has.
    ///
    /// # Errors
    /// As [`sign`](Self::sign); the card is then as it was.
    pub fn sign_card(&self, card: &mut AgentCard) -> Result<(), SignatureError> {
        let json = serde_json::to_value(&*card).map_err(|e| SignatureError::card(e.to_string()))?;
        let signatures = self.sign(&json)?;
        card.signatures.get_or_insert_default().extend(signatures);
        Ok(())
    }

    fn algorithm(&self) -> Algorithm {
        match &*self.key {
            PrivateKey::Es256(_) => Algorithm::Es256,
            PrivateKey::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

impl fmt::Debug for CardSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSigner")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm().name())
            .field("jku", &self.jku)
            .finish_non_exhaustive()
    }
}

impl PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self {
            Self::Es256(key) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| {
                    SignatureError::key("the operating system has no random bytes to sign with")
                })?;
                Ok(signature.as_ref().to_vec())
            }
            Self::EdDsa(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

/// Verifies cards by keys that are trusted already.
///
/// Where a card says that its keys are (`jku`) is never looked at: whoever forges a card would name
/// their own. The algorithm is the trusted key's, and the signature's header must agree.
#[derive(Clone, Debug)]
pub struct CardVerifier {
    keys: HashMap<String, PublicKey>,
}

impl CardVerifier {
    /// A verifier that trusts the keys of a JSON Web Key Set (RFC 7517): EC with P-256 (ES256), RSA
    /// with at least 2048 bits (RS256), OKP with Ed25519 (EdDSA). Keys of other kinds are skipped.
    ///
    /// # Errors
    /// [`SignatureErrorKind::Key`] when no key can be used, or two have the same id.
    pub fn new(jwks: &Value) -> Result<Self, SignatureError> {
        let listed = jwks.get("keys").and_then(Value::as_array).ok_or_else(|| {
            SignatureError::key("a JSON Web Key Set is an object with a list of `keys`")
        })?;
        let mut keys = HashMap::new();
        let mut skipped = Vec::new();
        for jwk in listed {
            match PublicKey::from_jwk(jwk) {
                Ok((id, key)) => {
                    if keys.insert(id.clone(), key).is_some() {
                        let id = shortened(&id);
                        return Err(SignatureError::key(format!(
                            "two trusted keys have the id `{id}`: give each its own `kid`"
                        )));
                    }
                }
                Err(why) => skipped.push(why),
            }
        }
        if keys.is_empty() {
            let why =
                if skipped.is_empty() { "it is empty".to_owned() } else { skipped.join("; ") };
            return Err(SignatureError::key(format!("no key of the set can verify cards: {why}")));
        }
        Ok(Self { keys })
    }

    /// Verifies a card as it was received, and says by which key and which part of it.
    ///
    /// One signature by a trusted key is enough. The specification and the SDKs disagree which
    /// fields are signed, so each reading is tried; that which covers the most counts, see
    /// [`VerifiedCard::card`].
    ///
    /// # Errors
    /// [`SignatureError`], whose kind says whether the card is unsigned, signed by nobody that is
    /// trusted, or not what was signed.
    pub fn verify(&self, card: &Value) -> Result<VerifiedCard, SignatureError> {
        let signatures = match card.get("signatures") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(signatures)) => signatures.as_slice(),
            Some(_) => return Err(SignatureError::malformed("`signatures` is not a list")),
        };
        if signatures.is_empty() {
            return Err(SignatureError::new(
                SignatureErrorKind::Unsigned,
                "the card is not signed: ask its owner to sign it, or do not demand a signature",
            ));
        }
        if signatures.len() > SIGNATURES {
            return Err(SignatureError::malformed(format!(
                "the card has more than {SIGNATURES} signatures"
            )));
        }
        let mut payloads = Payloads::new(card);
        let mut held: Option<(Form, String)> = None;
        let mut refused: Option<SignatureError> = None;
        for (index, signature) in signatures.iter().enumerate() {
            match self.holds(signature, &mut payloads) {
                Ok((form, key_id)) => {
                    if held.as_ref().is_none_or(|(widest, _)| form < *widest) {
                        held = Some((form, key_id));
                    }
                }
                Err(error) => {
                    let error = error.of(index);
                    // What a trusted key says of the card matters more than the other signatures.
                    if refused.as_ref().is_none_or(|worst| error.kind > worst.kind) {
                        refused = Some(error);
                    }
                }
            }
        }
        if let Some((form, key_id)) = held {
            let card = if form.covers_unknown() {
                without_signatures(card)
            } else {
                canonical::known(card)
            };
            return Ok(VerifiedCard { key_id, card });
        }
        Err(refused.unwrap_or_else(|| SignatureError::malformed("the card has no signature")))
    }

    /// Verifies a card in its received bytes, and refuses one that has a field twice: readers
    /// differ in which of the two they believe.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`SignatureErrorKind::Malformed`] for anything but JSON.
    pub fn verify_bytes(&self, card: &[u8]) -> Result<VerifiedCard, SignatureError> {
        let card = jose::parse(card).map_err(|why| {
            SignatureError::malformed(format!("the card cannot be read unambiguously: {why}"))
        })?;
        self.verify(&card)
    }

    /// Verifies a card that is decoded already, and says by which key.
    ///
    /// Decoding loses what the types do not know, so a card by a newer peer may fail here:
    /// prefer [`verify`](Self::verify) on what was received.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_card(&self, card: &AgentCard) -> Result<String, SignatureError> {
        let json = serde_json::to_value(card).map_err(|e| SignatureError::card(e.to_string()))?;
        self.verify(&json).map(|verified| verified.key_id)
    }

    fn holds(
        &self,
        signature: &Value,
        payloads: &mut Payloads<'_>,
    ) -> Result<(Form, String), SignatureError> {
        let malformed = SignatureError::malformed;
        let text = |name: &str| signature.get(name).and_then(Value::as_str);
        let protected = text("protected").ok_or_else(|| malformed("it has no `protected`"))?;
        let bytes = text("signature").ok_or_else(|| malformed("it has no `signature`"))?;
        if protected.len() > HEADER_LENGTH {
            return Err(malformed("its header is too long"));
        }
        let header = Header::read(protected).map_err(malformed)?;
        // A name in both headers, or one that must be protected, is an attempt to mislead.
        match signature.get("header") {
            None | Some(Value::Null) => {}
            Some(Value::Object(more)) => {
                let reserved = ["alg", "kid", "crit", "b64"];
                let is_wrong =
                    |name: &String| reserved.contains(&&**name) || header.fields.contains_key(name);
                if more.keys().any(is_wrong) {
                    return Err(malformed("its unprotected header repeats what is protected"));
                }
            }
            Some(_) => return Err(malformed("its unprotected header is no object")),
        }
        let Some(key) = self.keys.get(&header.key_id) else {
            let id = shortened(&header.key_id);
            return Err(SignatureError::new(
                SignatureErrorKind::UnknownKey,
                format!("it is by the key `{id}`, which is not trusted: add it if it should be"),
            ));
        };
        if header.algorithm != key.algorithm() {
            return Err(SignatureError::new(
                SignatureErrorKind::Mismatch,
                format!(
                    "it says {}, but the key is for {}",
                    header.algorithm.name(),
                    key.algorithm().name()
                ),
            ));
        }
        let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| malformed("it is not base64url"))?;
        for form in Form::ALL {
            let input = signing_input(protected, payloads.of(form)?);
            if key.has_signed(input.as_bytes(), &bytes) {
                return Ok((form, header.key_id));
            }
        }
        Err(SignatureError::new(
            SignatureErrorKind::Mismatch,
            format!(
                "it is by the trusted key `{}`, but not of this card: the card was changed after \
                 it was signed, or signed in a form that is not known",
                shortened(&header.key_id)
            ),
        ))
    }
}

/// A card whose signature holds.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifiedCard {
    key_id: String,
    card: Value,
}

impl VerifiedCard {
    /// The id of the trusted key that has signed.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What the signature covers, without `signatures`.
    ///
    /// A signature in the form of the SDKs does not cover fields that 1.0 has no name for, so they
    /// are not in here. Nor does it cover what is empty, for example a security requirement without
    /// scopes, which is left as it came.
    #[must_use]
    pub fn card(&self) -> &Value {
        &self.card
    }

    /// The same, by value.
    #[must_use]
    pub fn into_card(self) -> Value {
        self.card
    }
}

/// The bytes that may have been signed, made once for all signatures.
struct Payloads<'a> {
    card: &'a Value,
    made: [Option<String>; Form::ALL.len()],
}

impl<'a> Payloads<'a> {
    fn new(card: &'a Value) -> Self {
        Self { card, made: Default::default() }
    }

    fn of(&mut self, form: Form) -> Result<&str, SignatureError> {
        let slot = &mut self.made[form as usize];
        if slot.is_none() {
            *slot = Some(canonical(self.card, form).map_err(SignatureError::card)?);
        }
        Ok(slot.as_deref().unwrap_or_default())
    }
}

fn without_signatures(card: &Value) -> Value {
    let mut card = card.clone();
    if let Value::Object(fields) = &mut card {
        fields.shift_remove("signatures");
    }
    card
}

fn signing_input(protected: &str, payload: &str) -> String {
    format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload))
}

/// Why a card is not signed, or its signature not believed.
#[derive(Clone, Debug)]
pub struct SignatureError {
    kind: SignatureErrorKind,
    message: String,
}

/// What is wrong with a signature. The later ones say more about the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SignatureErrorKind {
    /// The card has no signature.
    Unsigned,
    /// A signature is not written as RFC 7515 and the protocol say, or demands what is refused.
    Malformed,
    /// No key that is trusted has signed.
    UnknownKey,
    /// A trusted key has signed something else than this card.
    Mismatch,
    /// The card has no bytes that could be signed.
    Card,
    /// A key cannot be used.
    Key,
}

impl SignatureError {
    fn new(kind: SignatureErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    fn malformed(message: impl Into<String>) -> Self {
        Self::new(SignatureErrorKind::Malformed, message)
    }

    fn card(message: impl Into<String>) -> Self {
        Self::new(SignatureErrorKind::Card, message)
    }

    fn key(message: impl Into<String>) -> Self {
        Self::new(SignatureErrorKind::Key, message)
    }

    /// Says which signature it is about.
    fn of(self, index: usize) -> Self {
        match self.kind {
            SignatureErrorKind::Malformed
            | SignatureErrorKind::UnknownKey
            | SignatureErrorKind::Mismatch => {
                Self { message: format!("`signatures[{index}]`: {}", self.message), ..self }
            }
            _ => self,
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> SignatureErrorKind {
        self.kind
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SignatureError {}
