//! Streamable HTTP over our own transport.
//!
//! rmcp keeps the session, negotiates the version and matches replies to requests; this is the
//! HTTP client it asks for. Two duties are taken over from rmcp, since a failed event stream has
//! to end in an error that tells the caller why: resuming a stream that broke off, and its limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use interactions_transport::redact_url;
use interactions_transport::sse::Decoder;
use interactions_transport::{
    Body, SharedTransport, Transport, TransportError, TransportErrorKind,
};
use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use crate::error::excerpt;
use crate::rpc::{Failure, replied_id, same_id, too_large};
use crate::{McpEndpoint, McpError, McpErrorKind};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// How much of an error page is read for the message.
const DIAGNOSTIC_LIMIT: usize = 64 * 1024;

/// How often resuming a stream may fail in a row.
const RESUME_ATTEMPTS: u32 = 3;

type HttpError = StreamableHttpError<McpError>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// One server's HTTP side.
#[derive(Clone)]
pub(crate) struct HttpClient {
    transport: SharedTransport,
    uri: Uri,
    server: Arc<str>,
    reply_limit: usize,
}

impl HttpClient {
    pub(crate) fn new(endpoint: &McpEndpoint, transport: SharedTransport) -> Self {
        Self {
            transport,
            uri: endpoint.uri.clone(),
            server: endpoint.label(),
            reply_limit: endpoint.reply_limit,
        }
    }

    async fn send(
        &self,
        method: Method,
        accept: &'static str,
        session: Option<&str>,
        token: Option<&str>,
        headers: &Headers,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Body>, McpError> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let all = request.headers_mut();
        all.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(session) = session.and_then(|id| HeaderValue::from_str(id).ok()) {
            all.insert(SESSION, session);
        }
        if let Some(token) = token.and_then(|token| format!("Bearer {token}").parse().ok()) {
            all.insert(AUTHORIZATION, token);
        }
        all.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(body) = body {
            all.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            *request.body_mut() = body.into();
        }
        self.transport.send(request).await.map_err(|error| self.transport_failure(error))
    }

    async fn post(
        &self,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        const ACCEPTED: &str = "application/json, text/event-stream";
        let body = serde_json::to_vec(&message)?;
        let asked = match message {
            ClientJsonRpcMessage::Request(request) => Some(request.id),
            _ => None,
        };
        let session = session.as_deref();
        let sent =
            self.send(Method::POST, ACCEPTED, session, token.as_deref(), &headers, Some(body));
        let sent = sent.await;
        let Some(asked) = asked else {
            // rmcp would end the connection over a lost notification, and could not say why.
            // Whatever is wrong will show, with its reason, when the next request is made.
            match sent.map(|response| response.status()) {
                Ok(status) if status.is_success() => {}
                Ok(status) => {
                    tracing::debug!(server = %self.server, %status, "notification refused");
                }
                Err(error) => tracing::debug!(%error, "notification lost"),
            }
            return Ok(StreamableHttpPostResponse::Accepted);
        };
        let (head, body) = sent.map_err(HttpError::Client)?.into_parts();

        if head.status == StatusCode::NOT_FOUND && session.is_some() {
            return Err(HttpError::SessionExpired);
        }
        if !head.status.is_success() {
            let page = read_page(body).await;
            if session.is_some() && denies_session(head.status, &page) {
                return Err(HttpError::SessionExpired);
            }
            return Err(HttpError::Client(self.refusal(head.status, &head.headers, &page)));
        }
        let new_session = text_header(&head.headers, &SESSION);
        match media_type(&head.headers).as_deref() {
            Some(EVENTS) => {
                let reply = ReplyStream {
                    session: new_session.as_deref().or(session).map(str::to_owned),
                    client: self.clone(),
                    token,
                    headers,
                    asked,
                    body,
                    decoder: Decoder::new().with_limit(self.reply_limit),
                    last_event: None,
                    failures: 0,
                    over: false,
                };
                Ok(StreamableHttpPostResponse::Sse(reply.into_events(), new_session))
            }
            Some(JSON) => {
                let body = body.collect(self.reply_limit).await;
                let body =
                    body.map_err(|error| HttpError::Client(self.transport_failure(error)))?;
                let reply = self.read_reply(&asked, &body).map_err(HttpError::Client)?;
                Ok(StreamableHttpPostResponse::Json(reply, new_session))
            }
            other => {
                let what = match other {
                    Some(other) => format!("`{}`", excerpt(other)),
                    None => format!("no content (HTTP {})", head.status.as_u16()),
                };
                Err(HttpError::Client(self.not_mcp(format!(
                    "the server answered a request with {what} instead of JSON or an event \
                     stream; check that the address is that of an MCP endpoint"
                ))))
            }
        }
    }

    fn read_reply(
        &self,
        asked: &RequestId,
        body: &Bytes,
    ) -> Result<ServerJsonRpcMessage, McpError> {
        let message = serde_json::from_slice(body).map_err(|error| {
            let shown = excerpt(&String::from_utf8_lossy(&body[..body.len().min(512)]));
            self.not_mcp(format!("the server's reply is not MCP ({error}): {shown}"))
        })?;
        match &message {
            ServerJsonRpcMessage::Response(reply) if same_id(asked, &reply.id) => Ok(message),
            // A server that could not read the id leaves it out; who asked still wants to know.
            ServerJsonRpcMessage::Error(reply) => {
                Ok(ServerJsonRpcMessage::error(reply.error.clone(), Some(asked.clone())))
            }
            _ => Err(self.not_mcp("the server answered with a message that is not the reply")),
        }
    }

    /// Continues an event stream after the last event that arrived.
    async fn resume(
        &self,
        session: Option<&str>,
        token: Option<&str>,
        headers: &Headers,
        last_event: &str,
    ) -> Result<Body, Resume> {
        let mut headers = headers.clone();
        let Ok(id) = HeaderValue::from_str(last_event) else {
            return Err(Resume::Never("its event id cannot be sent back".to_owned()));
        };
        headers.insert(LAST_EVENT, id);
        let sent = self.send(Method::GET, EVENTS, session, token, &headers, None).await;
        let response = sent.map_err(|error| Resume::Later(error.message().to_owned()))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Resume::Later(format!("HTTP {status}")));
        }
        if !status.is_success() || media_type(response.headers()).as_deref() != Some(EVENTS) {
            return Err(Resume::Never(format!("HTTP {status}")));
        }
        Ok(response.into_body())
    }

    fn transport_failure(&self, error: TransportError) -> McpError {
        match error.kind() {
            TransportErrorKind::TooLarge => {
                McpError::new(McpErrorKind::TooLarge, &self.server, too_large(self.reply_limit))
            }
            _ => McpError::transport(&self.server, error),
        }
    }

    fn not_mcp(&self, message: impl Into<String>) -> McpError {
        McpError::new(McpErrorKind::Protocol, &self.server, message)
    }

    /// What an HTTP failure means for the one who asked.
    fn refusal(&self, status: StatusCode, headers: &HeaderMap, page: &str) -> McpError {
        let error = |kind, message: String| McpError::new(kind, &self.server, message);
        let said = match read_rpc_error(page) {
            Some(message) => excerpt(&message),
            // Pages of proxies are for browsers; the status says as much.
            None if page.trim_start().starts_with('<') => String::new(),
            None => excerpt(page),
        };
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let error = match status {
            StatusCode::UNAUTHORIZED => error(
                McpErrorKind::Unauthorized,
                format!(
                    "the server wants other credentials (HTTP 401){said}; send them as a header"
                ),
            ),
            StatusCode::FORBIDDEN => error(
                McpErrorKind::Unauthorized,
                format!("the credentials do not suffice (HTTP 403){said}"),
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                let after = text_header(headers, &RETRY_AFTER);
                let after = after.map(|after| format!(" after {}", excerpt(&after)));
                let after = after.unwrap_or_default();
                error(
                    McpErrorKind::Rejected,
                    format!("the server is asked too often (HTTP 429){said}; try again{after}"),
                )
            }
            _ if status.is_redirection() => {
                let to =
                    text_header(headers, &LOCATION).map(|to| redact_url(&to)).unwrap_or_default();
                error(
                    McpErrorKind::Protocol,
                    format!("the server redirects to `{to}` (HTTP {status}); use that address"),
                )
                .surely_not_run()
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => error(
                McpErrorKind::Rejected,
                format!(
                    "the server has no MCP endpoint there (HTTP {status}){said}; check the address"
                ),
            ),
            _ if status.is_client_error() => {
                error(McpErrorKind::Rejected, format!("the server refused (HTTP {status}){said}"))
            }
            _ => error(McpErrorKind::Protocol, format!("the server failed (HTTP {status}){said}")),
        };
        error.with_status(status.as_u16())
    }
}

impl StreamableHttpClient for HttpClient {
    type Error = McpError;

    // rmcp also passes the address and limits along; ours are the endpoint's, and apply to every
    // method alike, so that the variants with limits may come down to this one.
    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        self.post(message, session, token, headers).await
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<(), HttpError> {
        let sent =
            self.send(Method::DELETE, JSON, Some(&session), token.as_deref(), &headers, None);
        let response = sent.await.map_err(HttpError::Client)?;
        // Servers may keep sessions (405) or have forgotten this one (404): either way we are done.
        tracing::debug!(server = %self.server, status = %response.status(), "session given up");
        Ok(())
    }

    /// Never opens a stream: what a server tells unasked is not used here, and a standing
    /// connection for each server has a price. Reply streams resume on their own.
    async fn get_stream(
        &self,
        _uri: Arc<str>,
        _session: Option<Arc<str>>,
        _last_event: Option<String>,
        _token: Option<String>,
        _headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, HttpError> {
        Err(HttpError::ServerDoesNotSupportSse)
    }
}

/// Whether a stream that could not be resumed may be so later.
enum Resume {
    Later(String),
    Never(String),
}

/// The events that answer one request, up to and including its reply.
///
/// When it breaks off after an event with an id, it continues from there. Event ids are not shown
/// to rmcp, which would otherwise try the same, without end and without telling the caller.
struct ReplyStream {
    client: HttpClient,
    session: Option<String>,
    token: Option<String>,
    headers: Headers,
    asked: RequestId,
    body: Body,
    decoder: Decoder,
    last_event: Option<String>,
    failures: u32,
    over: bool,
}

impl ReplyStream {
    fn into_events(self) -> BoxStream<'static, Result<Sse, SseError>> {
        let events = stream::unfold(self, async |mut reply| {
            let data = reply.next_message().await?;
            Some((Ok(Sse { event: None, data: Some(data), id: None, retry: None }), reply))
        });
        events.boxed()
    }

    /// The next message as text; `None` after the reply or a failure in its place.
    async fn next_message(&mut self) -> Option<String> {
        loop {
            if self.over {
                return None;
            }
            while let Some(frame) = self.decoder.next_frame() {
                let Ok(frame) = frame else {
                    let limit = self.client.reply_limit;
                    return self.fail(Failure::TooLarge, too_large(limit));
                };
                self.failures = 0;
                if let Some(id) = frame.id().filter(|id| !id.is_empty()) {
                    self.last_event = Some(id.to_owned());
                }
                if frame.data().is_empty() || !matches!(frame.event(), None | Some("message")) {
                    continue;
                }
                let data = String::from_utf8_lossy(frame.data()).into_owned();
                if let Some(answered) = replied_id(&data) {
                    self.over = true;
                    if !same_id(&self.asked, &answered) {
                        let why = "the event stream answers another request";
                        return self.fail(Failure::NotMcp, why.to_owned());
                    }
                    if serde_json::from_str::<ServerJsonRpcMessage>(&data).is_err() {
                        let why = format!("the server's reply is not MCP: {}", excerpt(&data));
                        return self.fail(Failure::NotMcp, why);
                    }
                }
                return Some(data);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.decoder.push(&bytes),
                Some(Err(error)) => {
                    if let Some(failure) = self.resume(error.to_string()).await {
                        return Some(failure);
                    }
                }
                None => {
                    let why = "the event stream ended before the reply".to_owned();
                    if let Some(failure) = self.resume(why).await {
                        return Some(failure);
                    }
                }
            }
        }
    }

    /// Goes on after the stream broke off, or gives the failure that takes the reply's place.
    async fn resume(&mut self, mut why: String) -> Option<String> {
        let Some(last_event) = self.last_event.clone() else {
            return self.fail(Failure::Interrupted, why);
        };
        loop {
            // Streams may also end to be polled; a second between the polls is the custom.
            tokio::time::sleep(Duration::from_secs(1 << self.failures.min(3))).await;
            let Self { client, session, token, headers, .. } = &*self;
            let resumed =
                client.resume(session.as_deref(), token.as_deref(), headers, &last_event).await;
            match resumed {
                Ok(body) => {
                    self.body = body;
                    self.decoder = Decoder::new().with_limit(self.client.reply_limit);
                    return None;
                }
                Err(Resume::Later(reason)) => {
                    self.failures += 1;
                    why = reason;
                    if self.failures >= RESUME_ATTEMPTS {
                        break;
                    }
                }
                Err(Resume::Never(reason)) => {
                    why = reason;
                    break;
                }
            }
        }
        self.fail(
            Failure::Interrupted,
            format!("the reply broke off and could not be resumed: {why}"),
        )
    }

    fn fail(&mut self, failure: Failure, message: String) -> Option<String> {
        self.over = true;
        // A message of strings and numbers always encodes.
        serde_json::to_string(&failure.reply(self.asked.clone(), message)).ok()
    }
}

/// The beginning of an error body; what cannot be read is left out.
async fn read_page(mut body: Body) -> String {
    let mut page = Vec::new();
    while page.len() < DIAGNOSTIC_LIMIT
        && let Some(Ok(piece)) = body.next().await
    {
        page.extend_from_slice(&piece[..piece.len().min(DIAGNOSTIC_LIMIT - page.len())]);
    }
    String::from_utf8_lossy(&page).into_owned()
}

fn read_rpc_error(page: &str) -> Option<String> {
    let page: serde_json::Value = serde_json::from_str(page).ok()?;
    Some(page.get("error")?.get("message")?.as_str()?.to_owned())
}

/// Whether this is the 400 with which many servers answer for a session they have forgotten,
/// where the protocol wants 404. It comes before anything is run.
fn denies_session(status: StatusCode, page: &str) -> bool {
    status == StatusCode::BAD_REQUEST
        && read_rpc_error(page).is_some_and(|said| said.to_ascii_lowercase().contains("session"))
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The content type without parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = text_header(headers, &CONTENT_TYPE)?;
    let essence = value.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}
