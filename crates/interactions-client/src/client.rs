//! The client: where to send calls, as whom, over which transport.

#[cfg(feature = "reqwest")]
use std::env;
use std::fmt;
use std::sync::Arc;

use http::Method;
use interactions_transport::{SharedTransport, redact_url};
use interactions_types::{CreateInteraction, Interaction, InteractionId};
use url::Url;

use crate::auth::Credentials as Identity;
use crate::options::Options;
use crate::resources::{Agents, Credentials, Environments, Triggers, Voices, Webhooks};
use crate::{Call, ClientBuilder, Create, Error, Get, List, RetryPolicy, Wait, Watch};

/// Talks to one server of the Interactions API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Arc<Settings>);

pub(crate) struct Settings {
    pub(crate) transport: SharedTransport,
    /// Ends with the version, without a slash.
    pub(crate) base: Url,
    /// Where in its path the version begins, the slash included.
    pub(crate) prefix: usize,
    pub(crate) credentials: Identity,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    /// What every call begins with.
    pub(crate) options: Options,
    /// How large one event of a stream may be, where that is not the default.
    pub(crate) event_bytes: Option<usize>,
    #[cfg(feature = "tracing")]
    pub(crate) captures_content: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base", &redact_url(self.base.as_str()))
            .field("credentials", &self.credentials)
            .field("retry", &self.retry)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for what the environment describes, read as Google's SDKs read it.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `GOOGLE_API_KEY`, else `GEMINI_API_KEY` | the API key |
    /// | `GOOGLE_GEMINI_BASE_URL` | the server, default Google's |
    /// | `GOOGLE_GENAI_API_VERSION` | the version's path, default `v1`; `beta` means `v1beta` |
    /// | `GOOGLE_GENAI_USE_ENTERPRISE`, else `GOOGLE_GENAI_USE_VERTEXAI` | `true` or `1`: Vertex AI |
    /// | `GOOGLE_CLOUD_PROJECT`, `GOOGLE_CLOUD_LOCATION` | the project there; wins over a key |
    /// | `GOOGLE_VERTEX_BASE_URL` | the server for Vertex AI |
    ///
    /// A project on Vertex AI wants access tokens; use
    /// [`Client::builder`]`().from_env().token_provider(…)` for it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without a key or with a malformed variable.
    #[cfg(feature = "reqwest")]
    pub fn from_env() -> Result<Self, Error> {
        let builder = Self::builder().resolved(|name| env::var(name).ok());
        if !builder.has_credentials() {
            return Err(Error::config(
                "there are no credentials: set GEMINI_API_KEY, or give the builder an API key \
                 or a token provider",
            ));
        }
        builder.build()
    }

    /// A client described step by step.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    /// Creates an interaction: await it, or call [`stream`](Create::stream) first.
    pub fn create(&self, request: CreateInteraction) -> Create {
        Create::new(self.clone(), request)
    }

    /// Reads a stored interaction: await it, or call [`stream`](Get::stream) first.
    pub fn get(&self, id: impl Into<InteractionId>) -> Get {
        Get::new(self.clone(), id.into())
    }

    /// Waits until an interaction runs no more.
    pub fn wait(&self, id: impl Into<InteractionId>) -> Wait {
        Wait::new(self.clone(), id.into())
    }

    /// Follows an interaction to its end: by its events, or by polling where there are none.
    pub fn watch(&self, id: impl Into<InteractionId>) -> Watch {
        Watch::new(self.clone(), id.into())
    }

    /// Stops a running interaction and returns its state.
    pub fn cancel(&self, id: impl Into<InteractionId>) -> Call<Interaction> {
        let id = id.into();
        let path = ["interactions", id.as_str(), "cancel"];
        // A second cancel finds the interaction cancelled and says so.
        Call::new(self, "cancel_interaction", Method::POST, &path).idempotent()
    }

    /// Erases a stored interaction.
    pub fn delete(&self, id: impl Into<InteractionId>) -> Call<()> {
        let id = id.into();
        Call::silent(self, "delete_interaction", Method::DELETE, &["interactions", id.as_str()])
    }

    /// Lists stored interactions, newest first.
    ///
    /// Google offers this on Vertex only; our own server always does.
    pub fn list(&self) -> List {
        List::new(self)
    }

    /// Agents that are kept under a name.
    #[must_use]
    pub fn agents(&self) -> Agents {
        Agents(self.clone())
    }

    /// Sandboxes and their files.
    #[must_use]
    pub fn environments(&self) -> Environments {
        Environments(self.clone())
    }

    /// Schedules on which agents work.
    #[must_use]
    pub fn triggers(&self) -> Triggers {
        Triggers(self.clone())
    }

    /// Secrets that the service keeps for sandboxes.
    #[must_use]
    pub fn stored_credentials(&self) -> Credentials {
        Credentials(self.clone())
    }

    /// Voices for spoken answers.
    #[must_use]
    pub fn voices(&self) -> Voices {
        Voices(self.clone())
    }

    /// Addresses that the service tells of the end of long work.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks {
        Webhooks(self.clone())
    }

    /// The server's address with the version, for messages: user information is left out.
    #[must_use]
    pub fn base_url(&self) -> String {
        redact_url(self.0.base.as_str())
    }

    pub(crate) fn transport(&self) -> &SharedTransport {
        &self.0.transport
    }

    pub(crate) fn credentials(&self) -> &Identity {
        &self.0.credentials
    }

    pub(crate) fn options(&self) -> Options {
        self.0.options.clone()
    }

    pub(crate) fn event_bytes(&self) -> Option<usize> {
        self.0.event_bytes
    }

    pub(crate) fn retry_policy(&self) -> &dyn RetryPolicy {
        &*self.0.retry
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn captures_content(&self) -> bool {
        self.0.captures_content
    }

    /// Builds the address to which a file is sent: `upload` stands before the version.
    pub(crate) fn upload_url(&self, segments: &[&str]) -> Result<Url, Error> {
        let mut url = self.url(segments)?;
        let path = url.path().to_owned();
        let at = self.0.prefix.min(path.len());
        url.set_path(&format!("{}/upload{}", &path[..at], &path[at..]));
        Ok(url)
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
}

const _: () = {
    const fn assert_shareable<T: Send + Sync + Clone>() {}
    assert_shareable::<Client>();
};
