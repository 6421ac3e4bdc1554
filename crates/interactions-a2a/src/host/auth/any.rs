//! Several ways to authenticate, of which callers choose one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use super::{Authenticator, Principal, Unauthenticated, UnauthenticatedKind};
use crate::wire::SecurityScheme;

/// Several authenticators: the first that knows the credentials decides.
///
/// One that finds no credentials of its kind, or does not know them (a key that is in no list, a
/// token of another issuer), leaves the request to the next. With [`Anonymous`](super::Anonymous)
/// among them credentials become optional, but whoever sends some must send good ones.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AnyOf {
    all: Vec<Arc<dyn Authenticator>>,
}

impl AnyOf {
    /// None so far: everybody is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds another one.
    pub fn or(mut self, authenticator: impl Authenticator) -> Self {
        self.all.push(Arc::new(authenticator));
        self
    }

    /// Each authenticator with the names that its schemes have on cards. Different schemes of the
    /// same name get a number.
    fn named(&self) -> Vec<(&dyn Authenticator, BTreeMap<String, String>)> {
        let mut taken: BTreeMap<String, SecurityScheme> = BTreeMap::new();
        let mut all = Vec::new();
        for authenticator in &self.all {
            let mut names = BTreeMap::new();
            for (name, scheme) in authenticator.schemes() {
                let numbered = (2_usize..).map(|number| format!("{name}{number}"));
                let free = std::iter::once(name.clone())
                    .chain(numbered)
                    .find(|free| taken.get(free).is_none_or(|other| *other == scheme))
                    .unwrap_or_default();
                taken.insert(free.clone(), scheme);
                names.insert(name, free);
            }
            all.push((&**authenticator, names));
        }
        all
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        let (open, closed): (Vec<_>, Vec<_>) =
            self.all.iter().partition(|one| one.schemes().is_empty());
        let mut unknown = None;
        let mut challenges: Vec<String> = Vec::new();
        let mut messages: Vec<String> = Vec::new();
        for authenticator in closed {
            let refusal = match authenticator.authenticate(request).await {
                Ok(principal) => return Ok(principal),
                Err(refusal) => refusal,
            };
            match refusal.kind() {
                UnauthenticatedKind::NoCredentials => {
                    let challenge = refusal.challenge().map(str::to_owned);
                    challenges.extend(challenge.filter(|one| !challenges.contains(one)));
                    let message = refusal.to_string();
                    if !messages.contains(&message) {
                        messages.push(message);
                    }
                }
                UnauthenticatedKind::UnknownCredentials => {
                    unknown.get_or_insert(refusal);
                }
                _ => return Err(refusal),
            }
        }
        if let Some(refusal) = unknown {
            return Err(refusal);
        }
        // Nothing was shown: the open ones let in whoever shows nothing.
        if let Some(open) = open.first() {
            return open.authenticate(request).await;
        }
        let message = if messages.is_empty() {
            "nobody may call: no way to authenticate is set up".to_owned()
        } else {
            messages.join(", or ")
        };
        let refusal = Unauthenticated::new(UnauthenticatedKind::NoCredentials, message);
        Err(match challenges.is_empty() {
            true => refusal,
            false => refusal.with_challenge(challenges.join(", ")),
        })
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        let mut all = BTreeMap::new();
        for (authenticator, names) in self.named() {
            for (name, scheme) in authenticator.schemes() {
                let name = names.get(&name).cloned().unwrap_or(name);
                all.insert(name, scheme);
            }
        }
        all
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        let mut all: Vec<HashMap<String, Vec<String>>> = Vec::new();
        for (authenticator, names) in self.named() {
            let mut demanded = authenticator.requirements();
            if names.is_empty() && demanded.is_empty() {
                // As in OpenAPI: nothing at all is enough.
                demanded.push(HashMap::new());
            }
            for requirement in demanded {
                let renamed = requirement
                    .into_iter()
                    .map(|(name, scopes)| (names.get(&name).cloned().unwrap_or(name), scopes));
                let renamed: HashMap<_, _> = renamed.collect();
                if !all.contains(&renamed) {
                    all.push(renamed);
                }
            }
        }
        // Where everybody may call, there is nothing to demand.
        if all.iter().all(HashMap::is_empty) { Vec::new() } else { all }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::head;
    use super::super::{Anonymous, ApiKeyHeader, BearerKeys};
    use super::*;
    use UnauthenticatedKind::{NoCredentials, UnknownCredentials, WrongCredentials};

    fn two() -> AnyOf {
        let bearer = BearerKeys::new([("key-a", "anna")]).expect("the key is one");
        let header = ApiKeyHeader::new("X-API-Key", [("key-b", "bert")]).expect("the key is one");
        AnyOf::new().or(bearer).or(header)
    }

    #[tokio::test]
    async fn the_first_that_knows_the_credentials_decides() {
        let more = BearerKeys::new([("key-c", "cleo")]).unwrap();
        let two = two().or(more);
        let open = two.clone().or(Anonymous);
        for (headers, expected, opened) in [
            (&[("authorization", "Bearer key-a")][..], Ok("anna"), Ok("anna")),
            (&[("authorization", "Bearer key-c")], Ok("cleo"), Ok("cleo")),
            (&[("x-api-key", "key-b")], Ok("bert"), Ok("bert")),
            (&[("authorization", "Bearer key-a"), ("x-api-key", "key-b")], Ok("anna"), Ok("anna")),
            (&[("authorization", "Bearer x"), ("x-api-key", "key-b")], Ok("bert"), Ok("bert")),
            (&[], Err(NoCredentials), Ok("anonymous")),
            (&[("authorization", "Basic x")], Err(NoCredentials), Ok("anonymous")),
            // A wrong key must not make somebody anonymous without their noticing.
            (&[("authorization", "Bearer x")], Err(UnknownCredentials), Err(UnknownCredentials)),
            (&[("x-api-key", "x")], Err(UnknownCredentials), Err(UnknownCredentials)),
            (
                &[("authorization", "Bearer"), ("x-api-key", "key-b")],
                Err(WrongCredentials),
                Err(WrongCredentials),
            ),
        ] {
            for (authenticator, expected) in [(&two, expected), (&open, opened)] {
                let outcome = authenticator.authenticate(&head(headers)).await;
                let owner = outcome.as_ref().map(Principal::owner).map_err(Unauthenticated::kind);
                assert_eq!(owner, expected, "{headers:?}");
            }
        }
        let refusal = two.authenticate(&head(&[])).await.unwrap_err();
        let challenges = r#"Bearer realm="a2a", ApiKey realm="a2a", header="X-API-Key""#;
        assert_eq!(refusal.challenge(), Some(challenges));
        assert_eq!(refusal.status(), 401);
        assert!(AnyOf::new().authenticate(&head(&[])).await.is_err());
    }

    #[test]
    fn cards_declare_each_way_by_a_name_of_its_own() {
        let other = ApiKeyHeader::new("X-Other", [("key-b", "bert")]).unwrap();
        let again = BearerKeys::new([("key-c", "cleo")]).unwrap();
        let all = two().or(other).or(again);
        let schemes = all.schemes();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["apiKey", "apiKey2", "bearer"]);
        let demanded: Vec<String> =
            all.requirements().iter().flat_map(|one| one.keys().cloned()).collect();
        assert_eq!(demanded, ["bearer", "apiKey", "apiKey2"]);
        assert_eq!(all.or(Anonymous).requirements().last(), Some(&HashMap::new()));
        assert!(AnyOf::new().or(Anonymous).requirements().is_empty());
    }
}
