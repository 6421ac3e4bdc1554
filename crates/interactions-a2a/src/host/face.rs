//! The host over HTTP: both bindings, cards, and what they have in common.

mod body;
mod decode;
#[cfg(feature = "grpc")]
mod grpc;
mod jsonrpc;
mod legacy;
mod negotiation;
mod rest;
mod route;
mod sse;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use interactions_transport::guard::{StrangeSender, check_sender};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::agent::HostedAgent;
use super::auth::{Authenticator, Unauthenticated};
use super::engine::Engine;
use super::operations::Caller;
use crate::card::{Card, CardSigner, Offer, SignatureError};
use crate::fault::{Fault, FaultKind};
use crate::wire;
use negotiation::Version;
use route::{Binding, Routed};

/// What the face needs beside the engine.
pub(crate) struct Face {
    pub(crate) engine: Arc<Engine>,
    setup: Setup,
    /// The public cards by route. A signature is another one every time, so each is made once.
    cards: BTreeMap<String, PublicCard>,
    /// Whether only its own machine is to reach the host.
    is_local: bool,
}

/// The header that names the extensions which hold.
const EXTENSIONS: &str = "a2a-extensions";
/// Whose the reasons of errors are.
const DOMAIN: &str = "a2a-protocol.org";

/// How a host shows itself.
pub(crate) struct Setup {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    /// Where the host is, as cards tell it.
    pub(crate) base_url: String,
    pub(crate) signer: Option<CardSigner>,
    pub(crate) body_limit: usize,
    /// Whether streams are offered.
    pub(crate) streaming: bool,
    /// Whether callers of protocol 0.3 are served too.
    pub(crate) legacy: bool,
    /// Whether the gRPC binding is served.
    #[cfg(feature = "grpc")]
    pub(crate) grpc: bool,
}

/// A kind of operations that a host may not offer.
#[derive(Clone, Copy)]
enum Kind {
    Stream,
    Push,
}

struct PublicCard {
    body: Bytes,
    etag: String,
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("base_url", &self.setup.base_url).finish_non_exhaustive()
    }
}

/// The host as a router. Every path is looked at by hand: a tenant may stand before any of them.
pub(crate) fn router(face: &Arc<Face>) -> Router {
    let router = Router::new().fallback(serve).with_state(Arc::clone(face));
    #[cfg(feature = "grpc")]
    if face.setup.grpc {
        // Its own paths come first.
        return grpc::router(Arc::clone(face)).fallback_service(router);
    }
    router
}

async fn serve(State(face): State<Arc<Face>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let version = negotiation::version(&parts);
    if face.setup.legacy
        && version == Ok(Version::V03)
        && let Some(route) = legacy::rest(&parts.method, parts.uri.path())
    {
        return match face.admit(parts, body, None, version).await {
            Ok(arrival) => rest::serve_legacy(&face, route, arrival).await,
            Err(refusal) => *refusal,
        };
    }
    let routed = match route::find(&parts.method, parts.uri.path()) {
        Ok(routed) => routed,
        Err(refusal) => return refusal.into_response(),
    };
    let Routed { binding, tenant } = routed;
    // Cards are for everybody: they say how to authenticate.
    if binding == Binding::Card {
        return face.card(tenant.as_deref(), &parts.headers);
    }
    let arrival = match face.admit(parts, body, tenant, version).await {
        Ok(arrival) => arrival,
        Err(refusal) => return *refusal,
    };
    match binding {
        Binding::Rest(route) => rest::serve(&face, route, arrival).await,
        Binding::JsonRpc | Binding::Card => jsonrpc::serve(&face, arrival).await,
    }
}

/// A request whose sender is known.
pub(crate) struct Arrival {
    caller: Caller,
    version: Result<Version, Fault>,
    headers: HeaderMap,
    query: Uri,
    body: Bytes,
}

impl Face {
    /// A face for these agents, whose public cards are made and signed now.
    pub(crate) fn new(engine: Arc<Engine>, setup: Setup) -> Result<Self, SignatureError> {
        let base_url = setup.base_url.parse::<Uri>();
        let is_local =
            base_url.is_ok_and(|url| check_sender(&HeaderMap::new(), &url, true).is_ok());
        let mut face = Self { engine, setup, cards: BTreeMap::new(), is_local };
        let mut cards = BTreeMap::new();
        for (route, agent) in face.engine.routes() {
            let body = Bytes::from(face.shown(route, agent, agent.public_card())?.to_string());
            let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&body)));
            cards.insert(route.to_owned(), PublicCard { body, etag });
        }
        face.cards = cards;
        Ok(face)
    }

    /// Where the host is, as its cards tell it.
    pub(crate) fn base_url(&self) -> &str {
        &self.setup.base_url
    }

    /// Refuses what is not offered, whatever else may be wrong with the request.
    fn offers(&self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Stream if !self.setup.streaming => {
                Err(Fault::unsupported("this host has no streams: read the task with GetTask"))
            }
            Kind::Push if !self.engine.offers_push() => {
                let message = "this host sends no push notifications";
                Err(Fault::new(FaultKind::PushNotificationNotSupported, message))
            }
            Kind::Stream | Kind::Push => Ok(()),
        }
    }

    /// Finds out who calls, and only then reads what they say.
    async fn admit(
        &self,
        parts: http::request::Parts,
        body: Body,
        tenant: Option<String>,
        version: Result<Version, Fault>,
    ) -> Result<Arrival, Box<Response>> {
        if self.setup.authenticator.schemes().is_empty()
            && let Err(stranger) = check_sender(&parts.headers, &parts.uri, self.is_local)
        {
            body::hear_out(body.into_data_stream(), body::STRANGER).await;
            return Err(Box::new(strange(stranger)));
        }
        let principal = self.setup.authenticator.authenticate(&parts).await;
        let principal = match principal {
            Ok(principal) => principal,
            Err(refusal) => {
                body::hear_out(body.into_data_stream(), body::STRANGER).await;
                return Err(Box::new(unauthenticated(&refusal)));
            }
        };
        let body = body::read(body, self.setup.body_limit).await;
        let body = body.ok_or_else(|| Box::new(too_large(self.setup.body_limit)))?;
        let extensions = negotiation::extensions(&parts.headers);
        let caller = Caller { principal, tenant, extensions };
        Ok(Arrival { caller, version, headers: parts.headers, query: parts.uri, body })
    }

    /// An agent's card, which browsers and proxies may keep for a while.
    fn card(&self, tenant: Option<&str>, headers: &HeaderMap) -> Response {
        let route = tenant.unwrap_or(self.engine.default_agent());
        let Some(PublicCard { body, etag }) = self.cards.get(route) else {
            let fault = Fault::new(FaultKind::MethodNotFound, "there is no such agent here");
            return rest::refused(&fault);
        };
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known = known
            .flat_map(|value| value.split(','))
            .map(|known| known.trim().trim_start_matches("W/"))
            .any(|known| known == etag || known == "*");
        let mut response = Response::new(Body::empty());
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::from(body.clone());
            set(&mut response, CONTENT_TYPE, "application/json");
        }
        set(&mut response, CACHE_CONTROL, "public, max-age=300");
        set(&mut response, ETAG, etag);
        response
    }

    /// A card with the host's part of it, signed if the host signs.
    fn shown(
        &self,
        route: &str,
        agent: &HostedAgent,
        card: &Card,
    ) -> Result<Value, SignatureError> {
        let is_default = route == self.engine.default_agent();
        let offer = Offer {
            base_url: &self.setup.base_url,
            tenant: (!is_default).then_some(route),
            schemes: self.setup.authenticator.schemes(),
            requirements: self.setup.authenticator.requirements(),
            push: self.engine.offers_push(),
            streaming: self.setup.streaming,
            extended: agent.has_extended_card(),
            grpc: self.grpc_address(),
        };
        let mut shown = serde_json::to_value(card.to_wire(&offer)).unwrap_or_default();
        if self.setup.legacy {
            shown = legacy::card(shown);
        }
        if let Some(signer) = &self.setup.signer {
            shown["signatures"] = json!(signer.sign(&shown)?);
        }
        Ok(shown)
    }

    /// Where the gRPC binding is, as cards tell it: without a scheme.
    #[cfg(feature = "grpc")]
    fn grpc_address(&self) -> Option<String> {
        let url = url::Url::parse(&self.setup.base_url).ok().filter(|_| self.setup.grpc)?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    #[cfg(not(feature = "grpc"))]
    fn grpc_address(&self) -> Option<String> {
        None
    }

    /// `GetExtendedAgentCard`.
    pub(crate) fn extended_card(&self, caller: &Caller) -> Result<Value, Fault> {
        let (scope, agent) = self.engine.agent(caller)?;
        let card = agent.card_for(&caller.principal).ok_or_else(|| {
            Fault::unsupported("the agent has no extended card: its public one says everything")
        })?;
        self.shown(&scope.agent, &agent, &card).map_err(|error| {
            tracing::error!(%error, agent = scope.agent, "an extended card cannot be signed");
            Fault::internal("the card cannot be signed")
        })
    }
}

/// A JSON body.
fn json_response(status: StatusCode, kind: &str, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_string(body).unwrap_or_default()));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, kind);
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Names the extensions that hold for the answer.
fn activate(response: &mut Response, extensions: &[String]) {
    if !extensions.is_empty() {
        let name = HeaderName::from_static(EXTENSIONS);
        set(response, name, &extensions.join(", "));
    }
}

/// A refusal that is not the protocol's: it has no code for it.
fn plain_refusal(status: StatusCode, name: &str, reason: &str, message: &str) -> Response {
    let info = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": DOMAIN,
    });
    let error = json!({
        "code": status.as_u16(), "status": name, "message": message, "details": [info],
    });
    json_response(status, "application/json", &json!({"error": error}))
}

fn unauthenticated(refusal: &Unauthenticated) -> Response {
    let status = refusal.status();
    let (name, reason) = match status {
        StatusCode::FORBIDDEN => ("PERMISSION_DENIED", "PERMISSION_DENIED"),
        StatusCode::SERVICE_UNAVAILABLE => ("UNAVAILABLE", "UNAVAILABLE"),
        _ => ("UNAUTHENTICATED", "UNAUTHENTICATED"),
    };
    let mut response = plain_refusal(status, name, reason, &refusal.to_string());
    if let Some(challenge) = refusal.challenge() {
        set(&mut response, WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A page that a browser shows must not use what everybody on its machine may.
fn strange(stranger: StrangeSender) -> Response {
    let status = StatusCode::FORBIDDEN;
    let message = format!("{stranger}; add an authenticator, or configure the base URL");
    plain_refusal(status, "PERMISSION_DENIED", "PERMISSION_DENIED", &message)
}

fn too_large(limit: usize) -> Response {
    let message = format!("the body has more than {limit} bytes, or broke off");
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    plain_refusal(status, "INVALID_ARGUMENT", "BODY_TOO_LARGE", &message)
}

impl route::Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => {
                let message = "there is no such path; the agent card names the addresses";
                let status = StatusCode::NOT_FOUND;
                plain_refusal(status, "NOT_FOUND", "METHOD_NOT_FOUND", message)
            }
            Self::Method(allowed) => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let message = format!("this path takes {allowed}");
                let mut response =
                    plain_refusal(status, "INVALID_ARGUMENT", "METHOD_NOT_FOUND", &message);
                set(&mut response, ALLOW, allowed);
                response
            }
        }
    }
}

/// The error of the HTTP+JSON binding, in the shape of `google.rpc.Status`.
fn status(fault: &Fault) -> Value {
    json!({"error": {
        "code": fault.kind().http_status().as_u16(),
        "status": fault.kind().rpc_status(),
        "message": fault.message(),
        "details": details(fault),
    }})
}

/// What both bindings tell about an error beside its message.
fn details(fault: &Fault) -> Value {
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": fault.kind().reason(),
        "domain": DOMAIN,
    })];
    if !fault.violations().is_empty() {
        let violations: Vec<Value> = fault
            .violations()
            .iter()
            .map(|one| json!({"field": one.field, "description": one.description}))
            .collect();
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations,
        }));
    }
    Value::Array(details)
}

/// Whether a body says to be JSON. One without a type, or without anything in it, is believed.
fn is_json(headers: &HeaderMap, body: &Bytes) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return true;
    };
    let bare = kind.split(';').next().unwrap_or_default().trim();
    body.is_empty()
        || bare.eq_ignore_ascii_case("application/json")
        || bare.eq_ignore_ascii_case(wire::MEDIA_TYPE)
}

/// Methods by which something is read.
fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
