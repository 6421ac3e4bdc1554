//! Who calls: keys and the tenants they belong to.

use std::env;
use std::fmt;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use url::form_urlencoded;

use super::Face;
use crate::config::AuthConfig;
use crate::error::{Refusal, StartError};

/// The tenant of a server without keys.
const EVERYONE: &str = "default";

/// The keys of a server.
pub(crate) struct Keys(Vec<(String, String)>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// Whose interactions a request may reach.
#[derive(Clone, Debug)]
pub(super) struct Tenant(pub(super) String);

impl Keys {
    pub(crate) fn new(config: &AuthConfig) -> Result<Self, StartError> {
        let keys = config.keys.iter().enumerate().map(|(index, entry)| {
            let place = format!("`auth.keys[{index}]`");
            let key = match (&entry.key, &entry.key_env) {
                (Some(key), None) => key.clone(),
                (None, Some(name)) => env::var(name).map_err(|_| {
                    StartError::new(format!("{place} names {name}, which is not set"))
                })?,
                _ => return Err(StartError::new(format!("{place} needs either key or key_env"))),
            };
            if key.trim().is_empty() || entry.tenant.is_empty() {
                return Err(StartError::new(format!(
                    "{place}: neither the key nor the tenant may be empty"
                )));
            }
            Ok((key, entry.tenant.clone()))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Whether everyone may call.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    fn tenant(&self, given: &str) -> Option<&str> {
        // Every key is compared in full, so that time tells nothing about them.
        let mut found = None;
        for (key, tenant) in &self.0 {
            if same(key.as_bytes(), given.as_bytes()) {
                found = Some(tenant.as_str());
            }
        }
        found
    }
}

/// Compares in a time that depends on the lengths only.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(differences) == 0 && one.len() == other.len()
}

/// Lets a request in with its tenant, or turns it away.
pub(super) async fn authenticate(
    State(face): State<Face>,
    mut request: Request,
    next: Next,
) -> Response {
    let tenant = if face.keys.is_open() {
        EVERYONE.to_owned()
    } else {
        let refuse = |message: &str| {
            let mut response =
                Refusal::new(StatusCode::UNAUTHORIZED, "authentication", message).into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        };
        let Some(given) = given_key(&request) else {
            return refuse("an API key is required: send it as x-goog-api-key");
        };
        match face.keys.tenant(&given) {
            Some(tenant) => tenant.to_owned(),
            None => return refuse("the API key is not valid"),
        }
    };
    request.extensions_mut().insert(Tenant(tenant));
    next.run(request).await
}

/// The key as a header, as a bearer token or in the query.
fn given_key(request: &Request) -> Option<String> {
    let header =
        |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(key) = header("x-goog-api-key") {
        return Some(key.to_owned());
    }
    if let Some((scheme, token)) =
        header(AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some(token.trim().to_owned());
    }
    let query = request.uri().query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "key")
        .map(|(_, key)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyConfig;

    #[test]
    fn keys_belong_to_tenants() {
        let mut config =
            AuthConfig { keys: vec![KeyConfig::new("alpha", "a"), KeyConfig::new("beta", "b")] };
        let keys = Keys::new(&config).unwrap();
        assert_eq!(keys.tenant("alpha"), Some("a"));
        assert_eq!(keys.tenant("beta"), Some("b"));
        for wrong in ["", "alph", "alphaa", "Alpha"] {
            assert_eq!(keys.tenant(wrong), None, "{wrong}");
        }
        config.keys[1].key = None;
        assert!(Keys::new(&config).unwrap_err().to_string().contains("auth.keys[1]"));
    }
}
