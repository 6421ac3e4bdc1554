//! A live connection to an MCP server.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interactions_transport::SharedTransport;
use interactions_types::JsonObject;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotificationParam, ClientCapabilities,
    ClientConfig, ClientRequest, ElicitationCapability, FormElicitationCapability, Implementation,
    ListToolsRequest, ProtocolVersion, RequestId, ServerResult,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, Peer, PeerRequestOptions,
    RoleClient, RunningService, ServiceError,
};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
};
use rmcp::transport::{DynamicTransportError, IntoTransport};
use serde_json::Value;
use tokio::time::timeout;

use crate::host::McpQuestion;
use crate::host::{Host, HostState};
use crate::http::HttpClient;
use crate::rpc::error_reply;
use crate::stdio::{LastWords, StdioTransport};
use crate::{McpCommand, McpEndpoint, McpError, McpErrorKind, McpReply, McpTool};

/// How long a shutdown may take; it tells the server, or waits for the process to exit.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// A live connection to an MCP server. Clones share it.
///
/// It ends with [`shutdown`](Self::shutdown), or in the background when the last clone is dropped;
/// a process is killed then. It needs a tokio runtime with time enabled.
///
/// A remote server that has forgotten the session is greeted anew, once, behind a call; the call
/// goes on, since a server that denies the session has not run it.
/// Nothing else is repeated: what failed may have run, unless
/// [`may_have_run`](McpError::may_have_run) says it has not.
#[derive(Clone)]
pub struct McpServer(Arc<Inner>);

struct Inner {
    label: Arc<str>,
    name: String,
    peer: Peer<RoleClient>,
    service: Mutex<Option<Service>>,
    patience: Duration,
    /// How the process ended, if it is one.
    last_words: Option<LastWords>,
    host: HostState,
    /// Where the server may ask people, calls wait for each other: a question does not say whose it is.
    one_call: Option<tokio::sync::Mutex<()>>,
}

type Service = RunningService<RoleClient, Host>;

impl McpServer {
    /// Greets a remote server.
    ///
    /// `limit` bounds the greeting, and later each page of [`tools`](Self::tools).
    ///
    /// # Errors
    /// Any kind but [`McpErrorKind::Endpoint`].
    ///
    /// # Cancellation
    /// Dropping the future gives the connection up.
    pub async fn connect(
        endpoint: McpEndpoint,
        transport: SharedTransport,
        limit: Duration,
    ) -> Result<Self, McpError> {
        let label = endpoint.label();
        let open = || {
            // The address may hold a key, and rmcp has no use for it.
            let mut config = StreamableHttpClientTransportConfig::with_uri("mcp")
                .custom_headers(endpoint.headers.clone())
                .max_concurrent_requests(256);
            config.session_recovery_timeout = limit;
            let client = HttpClient::new(&endpoint, transport.clone());
            Ok(StreamableHttpClientTransport::with_client(client, config))
        };
        let asks = endpoint.asks_people;
        let service = greet(&label, limit, asks, None, open).await?;
        Ok(Self::new(label, endpoint.name.clone(), service, limit, asks, None))
    }

    /// Starts a local server and greets it.
    ///
    /// Its standard error goes to `tracing` at debug level.
    /// `limit` bounds the greeting, and later each page of [`tools`](Self::tools).
    ///
    /// # Errors
    /// [`McpErrorKind::Connect`] when the command cannot be started or exits at once, otherwise
    /// any kind but [`McpErrorKind::Endpoint`].
    ///
    /// # Cancellation
    /// Dropping the future kills the process.
    pub async fn spawn(command: McpCommand, limit: Duration) -> Result<Self, McpError> {
        let label = command.label();
        let last_words = LastWords::default();
        let open = || StdioTransport::spawn(&command, last_words.clone());
        let asks = command.asks_people;
        let service = greet(&label, limit, asks, Some(&last_words), open).await?;
        Ok(Self::new(label, command.name.clone(), service, limit, asks, Some(last_words)))
    }

    fn new(
        label: Arc<str>,
        name: String,
        service: Service,
        patience: Duration,
        asks_people: bool,
        last_words: Option<LastWords>,
    ) -> Self {
        let peer = service.peer().clone();
        let host = service.service().state.clone();
        let service = Mutex::new(Some(service));
        let one_call = asks_people.then(tokio::sync::Mutex::default);
        Self(Arc::new(Inner { label, name, peer, service, patience, last_words, host, one_call }))
    }

    /// The server's label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How the server wants its tools to be used, if it says so; fit for a system instruction.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        self.0.peer.peer_info().and_then(|info| info.instructions.clone())
    }

    /// Whether the connection has ended, so that every call would fail.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.peer.is_transport_closed()
    }

    /// The server's tools, all pages of them. Entries that are not tools are left out.
    ///
    /// # Errors
    /// [`McpErrorKind::Protocol`] for a list without end, otherwise as [`call`](Self::call).
    ///
    /// # Cancellation
    /// Dropping the future gives the request up.
    pub async fn tools(&self) -> Result<Vec<McpTool>, McpError> {
        let request =
            |params| ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
        let entries = match self.pages("tools", request).await {
            // A server may have no tools at all, and then need not know the question.
            Err(error) if error.kind() == McpErrorKind::Rejected && self.has_no_tools() => {
                return Ok(Vec::new());
            }
            entries => entries?,
        };
        let read = |entry: &Value| {
            let tool = McpTool::read(entry);
            if tool.is_none() {
                tracing::warn!(
                    server = %self.0.label, tool = %entry["name"],
                    "a tool without name or input schema is left out"
                );
            }
            tool
        };
        Ok(entries.iter().filter_map(read).collect())
    }

    /// Calls a tool and waits for its reply, at most `limit` long.
    ///
    /// # Errors
    /// [`McpErrorKind::Rejected`] when the server refuses the call, an unknown tool for example;
    /// [`McpErrorKind::Timeout`], and the server is told to stop;
    /// [`McpErrorKind::TooLarge`] past the reply limit;
    /// [`McpErrorKind::Closed`] when the connection has ended; or how HTTP failed.
    /// A tool that ran and failed is no error but [`McpReply::is_error`].
    ///
    /// # Cancellation
    /// Dropping the future gives the call up and tells the server to stop.
    pub async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        limit: Duration,
    ) -> Result<McpReply, McpError> {
        self.call_asking(tool, arguments, limit, Vec::new()).await
    }

    /// As [`call`](Self::call), with what a person has answered to what the server asks in the
    /// middle of it. An answer is given to an equal question only.
    ///
    /// Without one, a server that asks is told that the call is off, and what it asks is
    /// [`McpError::asks`] of the error; it was allowed to ask by
    /// [`asks_people`](McpEndpoint::asks_people).
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`McpErrorKind::InputNeeded`].
    ///
    /// # Cancellation
    /// As [`call`](Self::call).
    pub async fn call_asking(
        &self,
        tool: &str,
        arguments: JsonObject,
        limit: Duration,
        answers: Vec<(McpQuestion, Value)>,
    ) -> Result<McpReply, McpError> {
        let _alone = match &self.0.one_call {
            Some(one_call) => Some(one_call.lock().await),
            None => None,
        };
        self.0.host.expect(answers);
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let result = self.request(request, limit).await;
        if self.0.one_call.is_some()
            && let Some(question) = self.0.host.question()
        {
            return Err(McpError::asking(&self.0.label, question));
        }
        let result = result.map_err(|error| error.during(&format!("tool `{tool}`")))?;
        McpReply::read(&result)
            .ok_or_else(|| self.protocol("the server answered with something other than a result"))
    }

    /// Grows when the server says that its tools are others now. Servers over HTTP can only say so
    /// while a call runs.
    #[must_use]
    pub fn tools_version(&self) -> u64 {
        self.0.host.tools_version()
    }

    pub(crate) async fn question(
        &self,
        request: ClientRequest,
        what: &str,
    ) -> Result<Value, McpError> {
        self.request(request, self.0.patience).await.map_err(|error| error.during(what))
    }

    /// Ends the connection for all clones: the session is given up, a process is told to exit,
    /// and killed if it does not. Calls that still wait fail.
    pub async fn shutdown(&self) {
        let service = self.0.service.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut service) = service {
            let _ = service.close_with_timeout(SHUTDOWN_LIMIT).await;
        }
    }

    async fn request(&self, request: ClientRequest, limit: Duration) -> Result<Value, McpError> {
        if self.is_closed() {
            return Err(closed(&self.0.label, self.0.last_words.as_ref()).surely_not_run());
        }
        let answer = async {
            let options = PeerRequestOptions::no_options();
            let handle = self.0.peer.send_request_with_option(request, options).await?;
            let mut abandoned = Abandoned { peer: &self.0.peer, id: Some(handle.id.clone()) };
            let answer = handle.await_response().await;
            abandoned.id = None;
            answer
        };
        match timeout(limit, answer).await {
            Ok(Ok(result)) => self.read_result(result),
            Ok(Err(error)) => Err(self.failure(error)),
            Err(_) => Err(timed_out(&self.0.label, limit, "did not answer")),
        }
    }

    fn read_result(&self, result: ServerResult) -> Result<Value, McpError> {
        match result {
            ServerResult::InputRequiredResult(_) => {
                Err(self.protocol("the tool asks for further input, which is not supported"))
            }
            ServerResult::CreateTaskResult(_) => {
                Err(self.protocol("the tool became a task, which is not supported"))
            }
            result => serde_json::to_value(result)
                .map_err(|error| self.protocol(&format!("the result cannot be read: {error}"))),
        }
    }

    fn failure(&self, error: ServiceError) -> McpError {
        let label = &self.0.label;
        match error {
            ServiceError::McpError(error) => error_reply(label, &error),
            ServiceError::TransportSend(error) => transport_error(label, error),
            ServiceError::TransportClosed => closed(label, self.0.last_words.as_ref()),
            ServiceError::Cancelled { .. } => {
                McpError::new(McpErrorKind::Rejected, label, "the server gave the request up")
            }
            other => self.protocol(&other.to_string()),
        }
    }

    pub(crate) fn protocol(&self, message: &str) -> McpError {
        McpError::new(McpErrorKind::Protocol, &self.0.label, message)
    }

    fn has_no_tools(&self) -> bool {
        self.0.peer.peer_info().is_some_and(|info| info.capabilities.tools.is_none())
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "McpServer({})", self.0.label)
    }
}

const _: fn() = || {
    fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<McpServer>();
};

/// Opens a connection and agrees on the protocol.
///
/// Nearly all servers know the greeting of 2025. One that refuses it may be newer and know only
/// that of 2026, which keeps no sessions, so that is tried next, over a new connection.
async fn greet<T, E, A>(
    label: &Arc<str>,
    limit: Duration,
    asks_people: bool,
    last_words: Option<&LastWords>,
    open: impl Fn() -> Result<T, McpError>,
) -> Result<Service, McpError>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let us = Implementation::new("interactions-mcp", env!("CARGO_PKG_VERSION"));
    let mut capabilities = ClientCapabilities::default();
    if asks_people {
        let form = FormElicitationCapability::new();
        capabilities.elicitation = Some(ElicitationCapability::new().with_form(form));
    }
    let config =
        ClientConfig::new(capabilities, us).with_protocol_version(ProtocolVersion::V_2025_11_25);
    let host = Host::new(config, HostState::default());
    let greeted = async {
        let initialize = ClientLifecycleMode::Initialize;
        let first = match host.clone().serve_with_lifecycle(open()?, initialize).await {
            Ok(service) => return Ok(service),
            Err(error) => connect_error(label, error, last_words),
        };
        if first.kind() != McpErrorKind::Rejected {
            return Err(first);
        }
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        let discover = ClientLifecycleMode::Discover { preferred_versions };
        // What the greeting that everybody knows has met is the better thing to report.
        host.serve_with_lifecycle(open()?, discover).await.map_err(|_| first)
    };
    match timeout(limit, greeted).await {
        Ok(greeted) => greeted.map_err(McpError::surely_not_run),
        Err(_) => Err(timed_out(label, limit, "did not greet back").surely_not_run()),
    }
}

fn timed_out(label: &Arc<str>, limit: Duration, what: &str) -> McpError {
    let message = format!("it {what} within {limit:?}; allow more time, or check that it is well");
    McpError::new(McpErrorKind::Timeout, label, message)
}

fn closed(label: &Arc<str>, last_words: Option<&LastWords>) -> McpError {
    let message = match last_words {
        Some(last_words) => last_words.describe(),
        None => "the connection has ended; connect again".to_owned(),
    };
    McpError::new(McpErrorKind::Closed, label, message)
}

fn connect_error(
    label: &Arc<str>,
    error: ClientInitializeError,
    last_words: Option<&LastWords>,
) -> McpError {
    match error {
        ClientInitializeError::JsonRpcError(error) => error_reply(label, &error),
        ClientInitializeError::TransportError { error, .. } => transport_error(label, error),
        ClientInitializeError::ConnectionClosed(_) => {
            let message = closed(label, last_words).message().to_owned();
            McpError::new(McpErrorKind::Connect, label, message)
        }
        other => McpError::new(McpErrorKind::Protocol, label, other.to_string()),
    }
}

/// Takes our own error out of rmcp's wrapping.
fn transport_error(label: &Arc<str>, error: DynamicTransportError) -> McpError {
    type HttpError = StreamableHttpError<McpError>;
    let error = match error.error.downcast::<HttpError>() {
        Ok(error) => *error,
        // The pipes of a process.
        Err(other) => return McpError::new(McpErrorKind::Closed, label, other.to_string()),
    };
    let closed = |message: &str| McpError::new(McpErrorKind::Closed, label, message);
    match error {
        HttpError::Client(error) => error,
        HttpError::SessionExpired => {
            closed("the server has given the session up again; connect anew").surely_not_run()
        }
        HttpError::ReinitializationFailed(error) => error_reply(label, &error)
            .during("the server has given the session up and refuses a new one")
            .surely_not_run(),
        HttpError::SessionRecoveryTimeout => {
            closed("the server has given the session up while this was running")
        }
        HttpError::TransportChannelClosed => closed("the connection has ended; connect again"),
        other => McpError::new(McpErrorKind::Protocol, label, other.to_string()),
    }
}

/// Tells the server to stop when nobody waits for the reply any more.
struct Abandoned<'a> {
    peer: &'a Peer<RoleClient>,
    id: Option<RequestId>,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        // Without a runtime the connection is gone as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let peer = self.peer.clone();
            let reason = Some("nobody waits for the reply any more".to_owned());
            runtime.spawn(async move {
                let _ =
                    peer.notify_cancelled(CancelledNotificationParam::new(Some(id), reason)).await;
            });
        }
    }
}
