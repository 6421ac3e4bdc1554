//! Describing a client: by hand, from the environment, or both.

use std::env;
use std::fmt;
use std::sync::Arc;

use interactions_transport::{SharedTransport, Timeouts, redact_url};
use url::Url;

use crate::auth::{ApiKey, Credentials};
use crate::client::Settings;
use crate::options::Options;
use crate::vertex::Vertex;
use crate::{Backoff, Client, Error, RetryPolicy, TokenProvider};

const GOOGLE: &str = "https://generativelanguage.googleapis.com";

/// Describes a [`Client`].
#[derive(Clone, Default)]
#[must_use]
pub struct ClientBuilder {
    key: Option<String>,
    tokens: Option<Arc<dyn TokenProvider>>,
    base: Option<String>,
    version: Option<String>,
    vertex: Option<Vertex>,
    transport: Option<SharedTransport>,
    retry: Option<Arc<dyn RetryPolicy>>,
    options: Options,
    event_bytes: Option<usize>,
    reads_environment: bool,
    #[cfg(feature = "tracing")]
    captures_content: bool,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("key", &self.key.as_ref().map(|_| ".."))
            .field("tokens", &self.tokens.as_ref().map(|_| ".."))
            .field("base", &self.base.as_deref().map(redact_url))
            .field("version", &self.version)
            .field("vertex", &self.vertex)
            .field("transport", &self.transport)
            .field("retry", &self.retry)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Takes what is not set by hand from the environment, when the client is made;
    /// see [`Client::from_env`] for the variables.
    pub fn from_env(mut self) -> Self {
        self.reads_environment = true;
        self
    }

    /// The same, with what is not set taken from variables.
    pub(crate) fn resolved(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let is_set = |name: &str| {
            read(name).map(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1"))
        };
        let wants_vertex = is_set("GOOGLE_GENAI_USE_ENTERPRISE")
            .or_else(|| is_set("GOOGLE_GENAI_USE_VERTEXAI"))
            .unwrap_or(false);
        let key = || read("GOOGLE_API_KEY").or_else(|| read("GEMINI_API_KEY"));
        if self.vertex.is_none() && !wants_vertex {
            if self.tokens.is_none() {
                self.key = self.key.or_else(key);
            }
            self.base = self.base.or_else(|| read("GOOGLE_GEMINI_BASE_URL"));
        } else {
            let mut vertex = self.vertex.take().unwrap_or_default();
            // What was said by hand wins over the environment, and a project over a key.
            if self.key.is_none() {
                vertex.project = vertex.project.or_else(|| read("GOOGLE_CLOUD_PROJECT"));
                vertex.location = vertex.location.or_else(|| read("GOOGLE_CLOUD_LOCATION"));
                if vertex.project.is_none() && self.tokens.is_none() {
                    self.key = key();
                }
            }
            self.vertex = Some(vertex);
            self.base = self.base.or_else(|| read("GOOGLE_VERTEX_BASE_URL"));
        }
        self.version = self.version.or_else(|| {
            let version = read("GOOGLE_GENAI_API_VERSION")?;
            Some(match (version.as_str(), &self.vertex) {
                ("beta", Some(_)) => "v1beta1".to_owned(),
                ("beta", None) => "v1beta".to_owned(),
                _ => version,
            })
        });
        self
    }

    /// Sends this key as `x-goog-api-key`. An empty one is none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.trim().is_empty());
        self.tokens = None;
        self
    }

    /// Sends tokens as `Authorization: Bearer`, and asks for a new one after a 401.
    pub fn token_provider(mut self, tokens: impl TokenProvider) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self.key = None;
        self
    }

    /// Talks to another server than Google's. A path in the URL goes before the version.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base = Some(url.into());
        self
    }

    /// Uses another version than `v1`, or than `v1beta1` on Vertex. It may have several segments.
    pub fn api_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Talks to a project on Vertex AI, which wants a [`token_provider`](Self::token_provider).
    pub fn vertex(mut self, project: impl Into<String>, location: impl Into<String>) -> Self {
        self.vertex =
            Some(Vertex { project: Some(project.into()), location: Some(location.into()) });
        self
    }

    /// Sends requests through this transport instead of the network.
    pub fn transport(mut self, transport: SharedTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Tries again by this policy instead of [`Backoff::default`].
    pub fn retry(mut self, policy: impl RetryPolicy) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }

    /// Limits the parts of every request, where a call does not limit them itself.
    ///
    /// `total` limits whole calls, retries included; streams of long work want `idle` instead.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.options.limit = timeouts.total;
        self.options.timeouts = timeouts;
        self
    }

    /// Sends a header with every request, in place of the client's own of this name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.header(name.into(), value.into());
        self
    }

    /// How large one event of a stream may be, in bytes; 64 MiB by default.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.event_bytes = Some(bytes);
        self
    }

    /// Records in traces what is asked and answered; without it, only sizes, names and ids.
    ///
    /// Needs the feature `tracing`, as traces do.
    #[cfg(feature = "tracing")]
    pub fn capture_content(mut self, wanted: bool) -> Self {
        self.captures_content = wanted;
        self
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn has_credentials(&self) -> bool {
        self.key.is_some() || self.tokens.is_some()
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a base URL or key that cannot be used,
    /// or, without the feature `reqwest`, for a missing transport.
    pub fn build(mut self) -> Result<Client, Error> {
        if std::mem::take(&mut self.reads_environment) {
            self = self.resolved(|name| env::var(name).ok());
        }
        let (base, prefix) = self.base_with_version()?;
        let credentials = match (self.tokens, self.key) {
            (Some(tokens), _) => Credentials::Tokens(tokens),
            (None, Some(key)) => Credentials::Key(ApiKey::parse(&key)?),
            (None, None) => Credentials::None,
        };
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport()?,
        };
        Ok(Client::new(Settings {
            transport,
            base,
            prefix,
            credentials,
            retry: self.retry.unwrap_or_else(|| Arc::new(Backoff::default())),
            options: self.options,
            event_bytes: self.event_bytes,
            #[cfg(feature = "tracing")]
            captures_content: self.captures_content,
        }))
    }

    /// The base, and where in its path the version begins.
    fn base_with_version(&self) -> Result<(Url, usize), Error> {
        let (default, version, path) = match &self.vertex {
            Some(vertex) => {
                let version = self.version.as_deref().unwrap_or("v1beta1");
                (vertex.base_url(), version, vertex.path(version))
            }
            None => {
                let version = self.version.as_deref().unwrap_or("v1");
                (GOOGLE.to_owned(), version, vec![version.to_owned()])
            }
        };
        let base = self.base.as_deref().unwrap_or(&default);
        let mut base = Url::parse(base).map_err(|error| {
            Error::config(format!("the base URL `{}` cannot be used: {error}", redact_url(base)))
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Error::config(format!(
                "the base URL `{}` must begin with http:// or https://",
                redact_url(base.as_str())
            )));
        }
        base.set_query(None);
        base.set_fragment(None);
        let prefix = base.path().trim_end_matches('/').len();
        // A version may be several segments; a project is one, whatever it contains.
        let version = version.split('/').filter(|segment| !segment.is_empty());
        let rest = path.iter().skip(1).map(String::as_str);
        if let Ok(mut segments) = base.path_segments_mut() {
            segments.pop_if_empty().extend(version.chain(rest));
        }
        Ok((base, prefix))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccessToken;

    fn base(builder: ClientBuilder) -> String {
        let client = builder.transport(interactions_testing::never()).build().unwrap();
        client.url(&["interactions", "v1_a/../b"]).unwrap().to_string()
    }

    const ID: &str = "interactions/v1_a%2F..%2Fb";

    #[test]
    fn joins_base_version_and_ids_without_letting_ids_escape() {
        for (builder, expected) in [
            (Client::builder(), format!("{GOOGLE}/v1/{ID}")),
            (
                Client::builder().base_url("http://h:1/prefix/"),
                format!("http://h:1/prefix/v1/{ID}"),
            ),
            (
                Client::builder().api_version("v1beta1/projects/p/locations/global"),
                format!("{GOOGLE}/v1beta1/projects/p/locations/global/{ID}"),
            ),
            (
                Client::builder().vertex("my/project", "us-central1"),
                format!(
                    "https://us-central1-aiplatform.googleapis.com\
                     /v1beta1/projects/my%2Fproject/locations/us-central1/{ID}"
                ),
            ),
        ] {
            assert_eq!(base(builder), expected);
        }
    }

    /// A builder from variables alone, as `NAME=value NAME=value`.
    fn from(variables: &str, builder: ClientBuilder) -> ClientBuilder {
        builder.resolved(|name| {
            variables.split(' ').find_map(|pair| {
                pair.split_once('=').filter(|(known, _)| *known == name).map(|(_, v)| v.to_owned())
            })
        })
    }

    #[test]
    fn the_environment_is_read_as_google_s_sdks_read_it() {
        let key = |variables: &str| from(variables, Client::builder()).key;
        assert_eq!(key("GEMINI_API_KEY=b GOOGLE_API_KEY=a").as_deref(), Some("a"));
        assert_eq!(key("GEMINI_API_KEY=b GOOGLE_API_KEY=").as_deref(), Some("b"));
        assert_eq!(key(""), None);
        assert_eq!(
            from("GEMINI_API_KEY=b", Client::builder().api_key("x")).key.as_deref(),
            Some("x")
        );
        let tokens = Client::builder().token_provider(AccessToken::new("t"));
        assert_eq!(from("GEMINI_API_KEY=b", tokens).key, None);

        for (variables, expected) in [
            ("GOOGLE_GENAI_API_VERSION=beta", format!("{GOOGLE}/v1beta/{ID}")),
            ("GOOGLE_GENAI_API_VERSION=v9", format!("{GOOGLE}/v9/{ID}")),
            ("GOOGLE_GEMINI_BASE_URL=http://h", format!("http://h/v1/{ID}")),
            (
                "GOOGLE_GENAI_USE_VERTEXAI=true GOOGLE_CLOUD_PROJECT=p GEMINI_API_KEY=b",
                format!(
                    "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/{ID}"
                ),
            ),
            (
                "GOOGLE_GENAI_USE_ENTERPRISE=1 GOOGLE_CLOUD_PROJECT=p GOOGLE_CLOUD_LOCATION=eu",
                format!(
                    "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu/{ID}"
                ),
            ),
            (
                "GOOGLE_GENAI_USE_ENTERPRISE=0 GOOGLE_GENAI_USE_VERTEXAI=1",
                format!("{GOOGLE}/v1/{ID}"),
            ),
            (
                "GOOGLE_GENAI_USE_VERTEXAI=1 GOOGLE_VERTEX_BASE_URL=http://h GEMINI_API_KEY=b",
                format!("http://h/v1beta1/{ID}"),
            ),
            ("GOOGLE_VERTEX_BASE_URL=http://h", format!("{GOOGLE}/v1/{ID}")),
        ] {
            assert_eq!(base(from(variables, Client::builder())), expected, "{variables}");
        }
        let express = from("GOOGLE_GENAI_USE_VERTEXAI=1 GEMINI_API_KEY=b", Client::builder());
        assert_eq!(express.key.as_deref(), Some("b"));
        let project = from(
            "GOOGLE_GENAI_USE_VERTEXAI=1 GEMINI_API_KEY=b GOOGLE_CLOUD_PROJECT=p",
            Client::builder(),
        );
        assert_eq!(project.key, None, "a project wins over a key");
    }

    #[test]
    fn never_shows_its_key() {
        let builder =
            Client::builder().api_key("hush-hush").transport(interactions_testing::never());
        assert!(!format!("{builder:?}").contains("hush"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("hush"));
    }

    #[test]
    fn urls_are_shown_without_their_secrets() {
        let client = Client::builder()
            .base_url("http://u:hush@h/x?key=hush")
            .transport(interactions_testing::never());
        assert!(!format!("{client:?}").contains("hush"));
        let client = client.build().unwrap();
        assert!(!format!("{client:?}").contains("hush"), "{client:?}");
        assert_eq!(client.base_url(), "http://h/x/v1");
        let error = Client::builder().base_url("http://u:hush@[bad").build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }

    #[test]
    fn says_what_is_wrong_with_a_base_url() {
        let error = Client::builder().base_url("localhost:8080").build().unwrap_err().to_string();
        assert!(error.contains("localhost:8080") && error.contains("http://"), "{error}");
    }
}
