//! Who calls: an API key, or tokens that somebody provides.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, HeaderName};

use crate::Error;

const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// Whether a header says who calls.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || *name == API_KEY
}

/// How a client shows who it is.
#[derive(Clone, Default)]
pub(crate) enum Credentials {
    #[default]
    None,
    Key(ApiKey),
    Tokens(Arc<dyn TokenProvider>),
}

impl Credentials {
    /// Adds what the service wants to see.
    ///
    /// `refused` is the token that the service has just answered with 401.
    pub(crate) async fn sign(
        &self,
        headers: &mut HeaderMap,
        refused: Option<&AccessToken>,
    ) -> Result<Option<AccessToken>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Key(ApiKey(key)) => {
                headers.insert(API_KEY, key.clone());
                Ok(None)
            }
            Self::Tokens(provider) => {
                let token = provider
                    .token(refused)
                    .await
                    .map_err(|error| Error::auth(format!("there is no access token: {error}")))?;
                headers.insert(AUTHORIZATION, token.header()?);
                if let Some(project) = &token.quota_project {
                    let project = HeaderValue::from_str(project)
                        .map_err(|_| Error::auth("the quota project cannot be sent"))?;
                    headers.insert(QUOTA_PROJECT, project);
                }
                Ok(Some(token))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Key(_) => "Key(..)",
            Self::Tokens(_) => "Tokens(..)",
        })
    }
}

/// An API key. It shows itself to the server only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKey(HeaderValue);

impl ApiKey {
    pub(crate) fn parse(key: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(key.trim())
            .map_err(|_| Error::config("the API key has characters that a header cannot carry"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// Gives the access tokens of OAuth 2.0 that Vertex and other deployments want.
///
/// A provider keeps its token until it expires; it is asked before every request.
///
/// ```
/// use async_trait::async_trait;
/// use interactions_client::{AccessToken, Client, TokenError, TokenProvider};
///
/// struct FromFile;
///
/// #[async_trait]
/// impl TokenProvider for FromFile {
///     async fn token(&self, refused: Option<&AccessToken>) -> Result<AccessToken, TokenError> {
///         if refused.is_some() {
///             return Err("the token in the file has expired".into());
///         }
///         Ok(AccessToken::new(std::fs::read_to_string("/run/token")?))
///     }
/// }
///
/// # let transport = interactions_testing::never();
/// let client = Client::builder().token_provider(FromFile).transport(transport).build()?;
/// # drop(client);
/// # Ok::<(), interactions_client::Error>(())
/// ```
#[async_trait]
pub trait TokenProvider: Send + Sync + 'static {
    /// The token to send.
    ///
    /// `refused` is a token that the service has just answered with 401: it has to be replaced.
    /// That happens once per call; a second 401 is the call's error, and so is the first one
    /// where the provider gives the refused token again.
    ///
    /// # Errors
    /// Whatever prevents it; the text becomes part of the call's error.
    async fn token(&self, refused: Option<&AccessToken>) -> Result<AccessToken, TokenError>;
}

/// Why there is no token.
pub type TokenError = Box<dyn StdError + Send + Sync>;

/// A bearer token. It shows itself to the server only.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    secret: String,
    quota_project: Option<String>,
}

impl AccessToken {
    /// A token as it follows `Bearer`.
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), quota_project: None }
    }

    /// Bills another project than the token's own (`x-goog-user-project`).
    #[must_use]
    pub fn quota_project(mut self, project: impl Into<String>) -> Self {
        self.quota_project = Some(project.into());
        self
    }

    fn header(&self) -> Result<HeaderValue, Error> {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", self.secret.trim())).map_err(|_| {
                Error::auth("the access token has characters that a header cannot carry")
            })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// A token that never changes.
#[async_trait]
impl TokenProvider for AccessToken {
    async fn token(&self, refused: Option<&AccessToken>) -> Result<AccessToken, TokenError> {
        // Where it was refused, the service's own 401 says more than an error from here would.
        let _ = refused;
        Ok(self.clone())
    }
}
