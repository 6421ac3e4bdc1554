//! The client: where to send calls, with which key, over which transport.

use std::env;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use interactions_transport::{Body, SharedTransport, Timeouts, Transport};
use interactions_types::{CreateInteraction, InteractionId};
use url::Url;

use crate::{Cancel, Create, Delete, Error, Get, List};

const GOOGLE: &str = "https://generativelanguage.googleapis.com";
const AGENT: &str = concat!("interactions-rust/", env!("CARGO_PKG_VERSION"));
/// No JSON reply is larger, images included; beyond it something is wrong.
const REPLY_LIMIT: usize = 256 * 1024 * 1024;
const ERROR_LIMIT: usize = 1024 * 1024;

/// Talks to one server of the Interactions API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    transport: SharedTransport,
    /// Ends with the version, without a slash.
    base: Url,
    key: Option<ApiKey>,
}

impl Client {
    /// A client for what the environment describes.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `GOOGLE_API_KEY`, else `GEMINI_API_KEY` | the API key |
    /// | `GOOGLE_GEMINI_BASE_URL` | the server, default Google's |
    /// | `GOOGLE_GENAI_API_VERSION` | the version's path, default `v1`; `beta` means `v1beta` |
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without a key or with a malformed variable.
    #[cfg(feature = "reqwest")]
    pub fn from_env() -> Result<Self, Error> {
        let builder = Self::builder().from_env();
        if builder.key.is_none() {
            return Err(Error::config(
                "there is no API key: set GEMINI_API_KEY, or give one to the builder",
            ));
        }
        builder.build()
    }

    /// A client described step by step.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates an interaction: await it, or call [`stream`](Create::stream) first.
    pub fn create(&self, request: CreateInteraction) -> Create {
        Create::new(self.clone(), request)
    }

    /// Reads a stored interaction: await it, or call [`stream`](Get::stream) first.
    pub fn get(&self, id: impl Into<InteractionId>) -> Get {
        Get::new(self.clone(), id.into())
    }

    /// Stops a running interaction and returns its state.
    pub fn cancel(&self, id: impl Into<InteractionId>) -> Cancel {
        Cancel::new(self.clone(), id.into())
    }

    /// Erases a stored interaction.
    pub fn delete(&self, id: impl Into<InteractionId>) -> Delete {
        Delete::new(self.clone(), id.into())
    }

    /// Lists stored interactions, newest first, a page at a time.
    ///
    /// Google offers this on Vertex only; our own server always does.
    pub fn list(&self) -> List {
        List::new(self.clone())
    }

    /// The server's address with the version, for messages.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.0.base.as_str()
    }

    /// Builds the address of a resource. Each segment is one path segment whatever it contains.
    pub(crate) fn url(&self, segments: &[&str]) -> Result<Url, Error> {
        // An empty or dotted id would silently name another resource.
        if let Some(bad) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(Error::request(format!("`{bad}` is not an id")));
        }
        let mut url = self.0.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(segments),
            Err(()) => return Err(Error::config("the base URL cannot have a path")),
        };
        Ok(url)
    }

    /// Sends one call and returns the response of a success; others become errors.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        accept: &'static str,
        body: Option<Vec<u8>>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .body(body.map_or_else(Body::empty, |json| Body::from(Bytes::from(json))))
            .map_err(|error| Error::request(error.to_string()))?;
        if let Some(ApiKey(key)) = &self.0.key {
            request.headers_mut().insert("x-goog-api-key", key.clone());
        }
        request.extensions_mut().insert(timeouts);
        let response = self.0.transport.send(request).await.map_err(Error::transport)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        // A body that breaks off still leaves the status to report.
        let body = body.collect(ERROR_LIMIT).await.unwrap_or_default();
        Err(Error::response(&parts, &body))
    }

    pub(crate) async fn reply(&self, response: Response<Body>) -> Result<Bytes, Error> {
        response.into_body().collect(REPLY_LIMIT).await.map_err(Error::transport)
    }
}

/// An API key. It shows itself to the server only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    fn parse(key: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(key.trim())
            .map_err(|_| Error::config("the API key has characters that a header cannot carry"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Describes a [`Client`].
#[derive(Clone, Default)]
#[must_use]
pub struct ClientBuilder {
    key: Option<String>,
    base: Option<String>,
    version: Option<String>,
    transport: Option<SharedTransport>,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("key", &self.key.as_ref().map(|_| ".."))
            .field("base", &self.base)
            .field("version", &self.version)
            .field("transport", &self.transport)
            .finish()
    }
}

impl ClientBuilder {
    /// Takes what is not set yet from the environment; see [`Client::from_env`] for the variables.
    pub fn from_env(mut self) -> Self {
        let read = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        self.key = self.key.or_else(|| read("GOOGLE_API_KEY")).or_else(|| read("GEMINI_API_KEY"));
        self.base = self.base.or_else(|| read("GOOGLE_GEMINI_BASE_URL"));
        self.version = self.version.or_else(|| {
            read("GOOGLE_GENAI_API_VERSION")
                .map(|version| if version == "beta" { "v1beta".to_owned() } else { version })
        });
        self
    }

    /// Sends this key as `x-goog-api-key`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Talks to another server than Google's. A path in the URL goes before the version.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base = Some(url.into());
        self
    }

    /// Uses another version's path than `v1`. It may have several segments, as Vertex has.
    pub fn api_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sends requests through this transport instead of the network.
    pub fn transport(mut self, transport: SharedTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a base URL or key that cannot be used,
    /// or, without the feature `reqwest`, for a missing transport.
    pub fn build(self) -> Result<Client, Error> {
        let base = self.base.as_deref().unwrap_or(GOOGLE);
        let version = self.version.as_deref().unwrap_or("v1");
        let mut base = Url::parse(base).map_err(|error| {
            Error::config(format!("the base URL `{base}` cannot be used: {error}"))
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Error::config(format!(
                "the base URL `{base}` must begin with http:// or https://"
            )));
        }
        base.set_query(None);
        base.set_fragment(None);
        if let Ok(mut path) = base.path_segments_mut() {
            path.pop_if_empty().extend(version.split('/').filter(|segment| !segment.is_empty()));
        }
        let key = self.key.as_deref().map(ApiKey::parse).transpose()?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport()?,
        };
        Ok(Client(Arc::new(Inner { transport, base, key })))
    }
}

#[cfg(feature = "reqwest")]
fn default_transport() -> Result<SharedTransport, Error> {
    interactions_transport::ReqwestTransport::new()
        .map(SharedTransport::new)
        .map_err(Error::transport)
}

#[cfg(not(feature = "reqwest"))]
fn default_transport() -> Result<SharedTransport, Error> {
    Err(Error::config(
        "there is no transport: give one to the builder, or enable the feature `reqwest`",
    ))
}

const _: () = {
    const fn assert_shareable<T: Send + Sync + Clone>() {}
    assert_shareable::<Client>();
};

#[cfg(test)]
mod tests {
    use super::*;

    fn base(builder: ClientBuilder) -> String {
        let transport = interactions_testing::never();
        builder
            .transport(transport)
            .build()
            .unwrap()
            .url(&["interactions", "v1_a/../b"])
            .unwrap()
            .to_string()
    }

    #[test]
    fn joins_base_version_and_ids_without_letting_ids_escape() {
        let id = "interactions/v1_a%2F..%2Fb";
        assert_eq!(base(Client::builder()), format!("{GOOGLE}/v1/{id}"));
        assert_eq!(
            base(Client::builder().base_url("http://h:1/prefix/")),
            format!("http://h:1/prefix/v1/{id}")
        );
        assert_eq!(
            base(Client::builder().api_version("v1beta1/projects/p/locations/global")),
            format!("{GOOGLE}/v1beta1/projects/p/locations/global/{id}")
        );
    }

    #[test]
    fn never_shows_its_key() {
        let builder =
            Client::builder().api_key("hush-hush").transport(interactions_testing::never());
        assert!(!format!("{builder:?}").contains("hush"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("hush"));
    }

    #[test]
    fn says_what_is_wrong_with_a_base_url() {
        let error = Client::builder().base_url("localhost:8080").build().unwrap_err().to_string();
        assert!(error.contains("localhost:8080") && error.contains("http://"), "{error}");
    }
}
