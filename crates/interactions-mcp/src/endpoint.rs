//! Where a remote MCP server is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri};
use interactions_transport::redact_url;

use crate::{McpError, McpErrorKind};

/// The default limit of one reply: 16 MiB.
pub(crate) const REPLY_LIMIT: usize = 16 * 1024 * 1024;

/// Headers that the protocol or HTTP itself sets.
const RESERVED: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

/// A remote MCP server: its address (streamable HTTP), headers and label.
///
/// Its `Debug` shows neither header values nor the address's query.
///
/// ```
/// use interactions_mcp::McpEndpoint;
///
/// let endpoint = McpEndpoint::http("https://weather.example/mcp?key=secret")?
///     .name("weather")
///     .header("authorization", "Bearer secret")?;
/// assert!(!format!("{endpoint:?}").contains("secret"));
/// # Ok::<(), interactions_mcp::McpError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct McpEndpoint {
    pub(crate) uri: Uri,
    pub(crate) headers: HashMap<HeaderName, HeaderValue>,
    pub(crate) name: String,
    pub(crate) reply_limit: usize,
    pub(crate) asks_people: bool,
}

impl McpEndpoint {
    /// The server at this address, the full one of its endpoint, by default named after its host.
    ///
    /// # Errors
    /// [`McpErrorKind::Endpoint`] when this is not an absolute `http` or `https` URL, or has user
    /// information (credentials belong into a header).
    pub fn http(url: &str) -> Result<Self, McpError> {
        let wrong = |why: &str| {
            let shown: Arc<str> = format!("`{}`", redact_url(url)).into();
            Err(McpError::new(McpErrorKind::Endpoint, &shown, why))
        };
        let Ok(uri) = url.trim().parse::<Uri>() else {
            return wrong("this is not a URL; give one like https://host/mcp");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return wrong("the URL must begin with http:// or https://");
        }
        let Some(authority) = uri.authority() else {
            return wrong("the URL names no host");
        };
        if authority.as_str().contains('@') {
            return wrong("the URL holds a user name or password; send an authorization header");
        }
        let name = authority.host().to_owned();
        Ok(Self {
            uri,
            headers: HashMap::new(),
            name,
            reply_limit: REPLY_LIMIT,
            asks_people: false,
        })
    }

    /// Sends a header with every request, replacing one of the same name.
    ///
    /// # Errors
    /// [`McpErrorKind::Endpoint`] when HTTP does not allow the name or value, or the protocol
    /// sets this header itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, McpError> {
        let wrong = |why: String| Err(McpError::new(McpErrorKind::Endpoint, &self.label(), why));
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return wrong(format!("`{}` cannot be the name of a header", name.escape_debug()));
        };
        if RESERVED.contains(&header.as_str()) {
            return wrong(format!("the header `{header}` is set by the protocol; leave it out"));
        }
        let Ok(mut value) = HeaderValue::from_str(value) else {
            // The value may be a secret, so the message does not repeat it.
            return wrong(format!("the value of the header `{header}` has a forbidden character"));
        };
        value.set_sensitive(true);
        self.headers.insert(header, value);
        Ok(self)
    }

    /// Labels the server in errors and logs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Limits the bytes of one reply; 16 MiB if not set.
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// The same server as a tool that the service calls itself, headers included:
    /// `server_tool(endpoint.as_server_tool())` in place of a connection of one's own.
    #[must_use]
    pub fn as_server_tool(&self) -> interactions_types::McpServer {
        let headers = self.headers.iter();
        let headers = headers.filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let headers: std::collections::BTreeMap<_, _> = headers.collect();
        let tool = interactions_types::McpServer::new().name(&self.name).url(self.uri.to_string());
        if headers.is_empty() { tool } else { tool.headers(headers) }
    }

    /// Lets the server ask people in the middle of a call (elicitation, forms only). Its calls wait
    /// for each other then; see [`McpServer::call_asking`](crate::McpServer::call_asking).
    pub fn asks_people(mut self) -> Self {
        self.asks_people = true;
        self
    }

    /// How errors name the server.
    pub(crate) fn label(&self) -> Arc<str> {
        format!("`{}` ({})", self.name, redact_url(&self.uri.to_string())).into()
    }
}

impl fmt::Debug for McpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpEndpoint")
            .field("name", &self.name)
            .field("url", &redact_url(&self.uri.to_string()))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = McpEndpoint::http(url).unwrap_err();
        assert_eq!(error.kind(), McpErrorKind::Endpoint);
        assert!(!error.may_have_run());
        error.to_string()
    }

    #[test]
    fn says_what_is_wrong_with_an_address_without_repeating_its_secrets() {
        assert!(refusal("").contains("not a URL"));
        assert!(refusal("ftp://host/mcp").contains("http://"));
        assert!(refusal("/mcp").contains("http://"));
        let with_password = refusal("https://joe:hunter2@host/mcp?key=hunter3#hunter4");
        assert!(with_password.contains("`https://host/mcp`"), "{with_password}");
        assert!(!with_password.contains("hunter"), "{with_password}");
        assert!(!refusal("https://joe:hunter2@ho st/mcp?key=hunter3").contains("hunter"));
    }

    #[test]
    fn refuses_headers_that_the_protocol_sets_and_hides_values() {
        let endpoint = || McpEndpoint::http("https://host:8443/mcp?key=hunter2").unwrap();
        for name in ["Accept", "MCP-Session-Id", "Content-Type", "Host", "bad name"] {
            let error = endpoint().header(name, "x").unwrap_err();
            assert_eq!(error.kind(), McpErrorKind::Endpoint, "{name}");
        }
        let error = endpoint().header("authorization", "hunter2\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "MCP server `host` (https://host:8443/mcp): the value of the header `authorization` \
             has a forbidden character"
        );
        let shown = format!("{:?}", endpoint().header("x-key", "hunter2").unwrap());
        assert!(shown.contains("x-key") && !shown.contains("hunter2"), "{shown}");
    }
}
