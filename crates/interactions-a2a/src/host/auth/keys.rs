//! Keys that callers were given: as bearer tokens, or in a header of their own.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use async_trait::async_trait;
use http::HeaderName;
use ring::digest::{SHA256, digest};

use super::{Authenticator, Principal, Unauthenticated, UnauthenticatedKind, bearer_token, only};
use crate::host::HostError;
use crate::wire::{ApiKeySecurityScheme, HttpAuthSecurityScheme, SecurityScheme};

/// Keys by their digests, so that neither memory nor the time that a look takes tells them.
#[derive(Clone)]
struct Owners(HashMap<Vec<u8>, String>);

impl Owners {
    fn new<K: AsRef<str>, O: Into<String>>(
        keys: impl IntoIterator<Item = (K, O)>,
    ) -> Result<Self, HostError> {
        let mut owners = HashMap::new();
        for (key, owner) in keys {
            let (key, owner) = (key.as_ref(), owner.into());
            if owner.is_empty() {
                return Err(HostError::new("a key has no owner: name one"));
            }
            if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(HostError::new(format!(
                    "a key of `{owner}` is empty, or has blanks or characters that are not ASCII: \
                     headers could not carry it"
                )));
            }
            if owners.insert(hash(key), owner.clone()).is_some_and(|other| other != owner) {
                return Err(HostError::new(format!(
                    "a key of `{owner}` is somebody else's too: give each owner their own"
                )));
            }
        }
        if owners.is_empty() {
            return Err(HostError::new("there are no keys, so nobody could call: add one"));
        }
        Ok(Self(owners))
    }

    fn find(&self, key: &str) -> Option<Principal> {
        self.0.get(&hash(key)).map(Principal::new)
    }
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values()).finish()
    }
}

fn hash(key: &str) -> Vec<u8> {
    digest(&SHA256, key.as_bytes()).as_ref().to_vec()
}

/// Callers show a key that they were given: `Authorization: Bearer KEY`.
#[derive(Clone, Debug)]
pub struct BearerKeys {
    owners: Owners,
}

impl BearerKeys {
    /// Keys, and whose they are; an owner may have several. Only digests (SHA-256) of them are
    /// kept, so a key should be random and long: nobody can guess 32 bytes.
    ///
    /// # Errors
    /// [`HostError`] when there is none, one cannot be sent in a header, or has two owners.
    pub fn new<K: AsRef<str>, O: Into<String>>(
        keys: impl IntoIterator<Item = (K, O)>,
    ) -> Result<Self, HostError> {
        Ok(Self { owners: Owners::new(keys)? })
    }
}

#[async_trait]
impl Authenticator for BearerKeys {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        let key = bearer_token(&request.headers)?;
        self.owners.find(key).ok_or_else(|| {
            let message = "the key is not known: ask the host's operator for one";
            Unauthenticated::bearer(UnauthenticatedKind::UnknownCredentials, message)
        })
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        let scheme = HttpAuthSecurityScheme {
            scheme: "Bearer".to_owned(),
            description: None,
            bearer_format: None,
        };
        BTreeMap::from([("bearer".to_owned(), SecurityScheme::HttpAuth(scheme))])
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        vec![HashMap::from([("bearer".to_owned(), Vec::new())])]
    }
}

/// Callers show a key that they were given in a header of its own: `X-API-Key: KEY`.
#[derive(Clone, Debug)]
pub struct ApiKeyHeader {
    /// The name as it was given, for cards.
    shown: String,
    name: HeaderName,
    owners: Owners,
}

impl ApiKeyHeader {
    /// The header's name, and keys with whose they are, kept as [`BearerKeys`] keeps them.
    ///
    /// # Errors
    /// [`HostError`] when the name is no header's, and as [`BearerKeys::new`].
    pub fn new<K: AsRef<str>, O: Into<String>>(
        header: impl Into<String>,
        keys: impl IntoIterator<Item = (K, O)>,
    ) -> Result<Self, HostError> {
        let shown = header.into();
        let name = shown.parse().ok().filter(|name| *name != http::header::AUTHORIZATION);
        let name = name.ok_or_else(|| {
            HostError::new(format!(
                "`{shown}` cannot be the header of an API key: take one like X-API-Key \
                 (`Authorization` is for `BearerKeys`)"
            ))
        })?;
        Ok(Self { shown, name, owners: Owners::new(keys)? })
    }

    fn refused(&self, kind: UnauthenticatedKind, message: impl Into<String>) -> Unauthenticated {
        // 401 must have a challenge, and there is no registered one for keys in headers.
        let challenge = format!(r#"ApiKey realm="a2a", header="{}""#, self.shown);
        Unauthenticated::new(kind, message).with_challenge(challenge)
    }
}

#[async_trait]
impl Authenticator for ApiKeyHeader {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        let key = only(&request.headers, &self.name)
            .map_err(|why| self.refused(UnauthenticatedKind::WrongCredentials, why))?;
        let key = key.ok_or_else(|| {
            let message = format!("credentials are required: send `{}: …`", self.shown);
            self.refused(UnauthenticatedKind::NoCredentials, message)
        })?;
        self.owners.find(key).ok_or_else(|| {
            let message = "the key is not known: ask the host's operator for one";
            self.refused(UnauthenticatedKind::UnknownCredentials, message)
        })
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        let scheme = ApiKeySecurityScheme {
            location: "header".to_owned(),
            name: self.shown.clone(),
            description: None,
        };
        BTreeMap::from([("apiKey".to_owned(), SecurityScheme::ApiKey(scheme))])
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        vec![HashMap::from([("apiKey".to_owned(), Vec::new())])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::head;
    use super::*;
    use UnauthenticatedKind::{NoCredentials, UnknownCredentials, WrongCredentials};

    #[tokio::test]
    async fn bearer_keys_have_owners() {
        let keys = BearerKeys::new([("key-a", "anna"), ("key-a2", "anna"), ("key-b", "bert")]);
        let keys = keys.unwrap();
        for (headers, expected) in [
            (&[("authorization", "Bearer key-a")][..], Ok("anna")),
            (&[("authorization", "bearer key-a2")], Ok("anna")),
            (&[("authorization", "BEARER   key-b ")], Ok("bert")),
            (&[], Err(NoCredentials)),
            (&[("x-api-key", "key-a")], Err(NoCredentials)),
            (&[("authorization", "Basic key-a")], Err(NoCredentials)),
            (&[("authorization", "key-a")], Err(NoCredentials)),
            (&[("authorization", "")], Err(NoCredentials)),
            (&[("authorization", "Bearer")], Err(WrongCredentials)),
            (&[("authorization", "Bearer ")], Err(WrongCredentials)),
            (&[("authorization", "Bearer key-a key-b")], Err(WrongCredentials)),
            (&[("authorization", "Bearer ké")], Err(WrongCredentials)),
            (&[("authorization", "Bearer Key-a")], Err(UnknownCredentials)),
            (&[("authorization", "Bearer key-")], Err(UnknownCredentials)),
            (
                &[("authorization", "Bearer key-a"), ("authorization", "Bearer key-a")],
                Err(WrongCredentials),
            ),
            (&[("authorization", "Bearer key-a"), ("authorization", "")], Err(WrongCredentials)),
        ] {
            let outcome = keys.authenticate(&head(headers)).await;
            let owner = outcome.as_ref().map(Principal::owner).map_err(Unauthenticated::kind);
            assert_eq!(owner, expected, "{headers:?}");
            if let Err(refusal) = outcome {
                assert!(refusal.challenge().unwrap().starts_with("Bearer "));
                assert!(!refusal.to_string().contains("key-"), "{refusal}");
            }
        }
        let shown = format!("{keys:?}");
        assert!(shown.contains("anna") && !shown.contains("key-a"), "{shown}");
    }

    #[tokio::test]
    async fn keys_in_a_header_of_their_own() {
        let keys = ApiKeyHeader::new("X-API-Key", [("key-a", "anna")]).unwrap();
        for (headers, expected) in [
            (&[("x-api-key", "key-a")][..], Ok("anna")),
            (&[("X-Api-Key", "key-a")], Ok("anna")),
            (&[("authorization", "Bearer key-a")], Err(NoCredentials)),
            (&[("x-api-key", "")], Err(UnknownCredentials)),
            (&[("x-api-key", "key-b")], Err(UnknownCredentials)),
            (&[("x-api-key", "key-a"), ("x-api-key", "key-a")], Err(WrongCredentials)),
        ] {
            let outcome = keys.authenticate(&head(headers)).await;
            let owner = outcome.as_ref().map(Principal::owner).map_err(Unauthenticated::kind);
            assert_eq!(owner, expected, "{headers:?}");
        }
        let refusal = keys.authenticate(&head(&[])).await.unwrap_err();
        assert_eq!(refusal.challenge(), Some(r#"ApiKey realm="a2a", header="X-API-Key""#));
        assert!(refusal.to_string().contains("`X-API-Key: …`"));
        let declared = serde_json::to_value(keys.schemes()).unwrap();
        let expected = serde_json::json!({"apiKey": {"apiKeySecurityScheme": {"location": "header", "name": "X-API-Key"}}});
        assert_eq!(declared, expected);
    }

    #[test]
    fn keys_that_would_let_the_wrong_people_in_are_refused() {
        let none: [(&str, &str); 0] = [];
        assert!(BearerKeys::new(none).is_err());
        for keys in [
            [("", "anna"), ("b", "bert")],
            [(" ", "anna"), ("b", "bert")],
            [("a b", "anna"), ("b", "bert")],
            [("é", "anna"), ("b", "bert")],
            [("a\n", "anna"), ("b", "bert")],
            [("a", ""), ("b", "bert")],
            [("same", "anna"), ("same", "bert")],
        ] {
            let error = BearerKeys::new(keys).unwrap_err().to_string();
            assert!(!error.contains("same") || error.contains("bert"), "{error}");
        }
        assert!(BearerKeys::new([("same", "anna"), ("same", "anna")]).is_ok());
        for name in ["", "x y", "Authorization", "é"] {
            assert!(ApiKeyHeader::new(name, [("a", "b")]).is_err(), "{name}");
        }
    }
}
