//! The gRPC binding.
//!
//! The service is generated from the protocol's own definition. Requests become the JSON of the
//! other bindings, so that they are judged by the same rules; answers are written from the same
//! types.

use std::sync::Arc;

use a2a_pb::proto::a2a_service_server::{A2aService, A2aServiceServer};
use a2a_pb::{pbconv, proto, protojson};
use axum::Router;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status, async_trait};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::jsonrpc::{Outcome, dispatch};
use super::negotiation::{self, Version, no_legacy};
use super::{EXTENSIONS, Face};
use crate::fault::Fault;
use crate::host::auth::{Unauthenticated, UnauthenticatedKind};
use crate::host::operations::{Caller, Events};
use crate::wire;

/// The binding's paths.
pub(super) fn router(face: Arc<Face>) -> Router {
    let limit = face.setup.body_limit;
    let service = A2aServiceServer::new(Grpc { face }).max_decoding_message_size(limit);
    Routes::new(service).into_axum_router()
}

struct Grpc {
    face: Arc<Face>,
}

/// A caller who is known, and what they ask for.
struct Call {
    caller: Caller,
    params: Value,
}

type Answer<T> = Result<Response<T>, Status>;

impl Grpc {
    /// Finds out who calls, then reads what they say: `J` is the request as it has a JSON form.
    async fn admit<P, J>(&self, request: Request<P>) -> Result<Call, Status>
    where
        P: prost::Message,
        J: prost::Message + Default + Serialize,
    {
        let (metadata, _, message) = request.into_parts();
        let parts = head(metadata);
        let principal = self.face.setup.authenticator.authenticate(&parts).await;
        let principal = principal.map_err(|refusal| unauthenticated(&refusal))?;
        match negotiation::version(&parts) {
            Ok(Version::V1) => {}
            Ok(Version::V03) => return Err(status(&no_legacy())),
            Err(fault) => return Err(status(&fault)),
        }
        let extensions = negotiation::extensions(&parts.headers);
        let caller = Caller { principal, tenant: None, extensions };
        let params = json::<J>(&message).map_err(|fault| status(&fault))?;
        Ok(Call { caller, params })
    }

    /// Does what is asked for, and writes the answer.
    async fn answer<W, T>(&self, call: Call, method: &str, write: fn(&W) -> T) -> Answer<T>
    where
        W: DeserializeOwned,
    {
        let Call { mut caller, params } = call;
        let outcome = dispatch(&self.face, &mut caller, method, params, None).await;
        match outcome.map_err(|fault| status(&fault))? {
            Outcome::Value(value) => {
                let answer: W = serde_json::from_value(value)
                    .map_err(|_| Status::internal("the answer cannot be written"))?;
                Ok(self.activated(&caller, write(&answer)))
            }
            Outcome::Events(_) => Err(Status::internal("a stream where none belongs")),
        }
    }

    /// Does what is asked for, and writes the events.
    async fn stream(
        &self,
        call: Call,
        method: &str,
    ) -> Answer<BoxStream<'static, Result<proto::StreamResponse, Status>>> {
        let Call { mut caller, params } = call;
        let outcome = dispatch(&self.face, &mut caller, method, params, None).await;
        match outcome.map_err(|fault| status(&fault))? {
            Outcome::Events(events) => Ok(self.activated(&caller, written(events))),
            Outcome::Value(_) => Err(Status::internal("an answer where a stream belongs")),
        }
    }

    /// Names the extensions that hold for the answer.
    fn activated<T>(&self, caller: &Caller, answer: T) -> Response<T> {
        let mut response = Response::new(answer);
        let extensions = self.face.engine.activated(caller).join(", ");
        if let (false, Ok(value)) = (extensions.is_empty(), extensions.parse()) {
            response.metadata_mut().insert(EXTENSIONS, value);
        }
        response
    }
}

#[async_trait]
impl A2aService for Grpc {
    type SendStreamingMessageStream = BoxStream<'static, Result<proto::StreamResponse, Status>>;
    type SubscribeToTaskStream = BoxStream<'static, Result<proto::StreamResponse, Status>>;

    async fn send_message(
        &self,
        request: Request<proto::SendMessageRequest>,
    ) -> Answer<proto::SendMessageResponse> {
        let call = self.admit::<_, protojson::SendMessageRequest>(request).await?;
        self.answer(call, "SendMessage", pbconv::to_proto_send_message_response).await
    }

    async fn send_streaming_message(
        &self,
        request: Request<proto::SendMessageRequest>,
    ) -> Answer<Self::SendStreamingMessageStream> {
        let call = self.admit::<_, protojson::SendMessageRequest>(request).await?;
        self.stream(call, "SendStreamingMessage").await
    }

    async fn get_task(&self, request: Request<proto::GetTaskRequest>) -> Answer<proto::Task> {
        let call = self.admit::<_, protojson::GetTaskRequest>(request).await?;
        self.answer(call, "GetTask", pbconv::to_proto_task).await
    }

    async fn list_tasks(
        &self,
        request: Request<proto::ListTasksRequest>,
    ) -> Answer<proto::ListTasksResponse> {
        let call = self.admit::<_, protojson::ListTasksRequest>(request).await?;
        self.answer(call, "ListTasks", pbconv::to_proto_list_tasks_response).await
    }

    async fn cancel_task(&self, request: Request<proto::CancelTaskRequest>) -> Answer<proto::Task> {
        let call = self.admit::<_, protojson::CancelTaskRequest>(request).await?;
        self.answer(call, "CancelTask", pbconv::to_proto_task).await
    }

    async fn subscribe_to_task(
        &self,
        request: Request<proto::SubscribeToTaskRequest>,
    ) -> Answer<Self::SubscribeToTaskStream> {
        let call = self.admit::<_, protojson::SubscribeToTaskRequest>(request).await?;
        self.stream(call, "SubscribeToTask").await
    }

    async fn create_task_push_notification_config(
        &self,
        request: Request<proto::TaskPushNotificationConfig>,
    ) -> Answer<proto::TaskPushNotificationConfig> {
        let call = self.admit::<_, protojson::TaskPushNotificationConfig>(request).await?;
        let write = pbconv::to_proto_task_push_notification_config;
        self.answer(call, "CreateTaskPushNotificationConfig", write).await
    }

    async fn get_task_push_notification_config(
        &self,
        request: Request<proto::GetTaskPushNotificationConfigRequest>,
    ) -> Answer<proto::TaskPushNotificationConfig> {
        let call = self.admit::<_, protojson::GetTaskPushNotificationConfigRequest>(request);
        let write = pbconv::to_proto_task_push_notification_config;
        self.answer(call.await?, "GetTaskPushNotificationConfig", write).await
    }

    async fn list_task_push_notification_configs(
        &self,
        request: Request<proto::ListTaskPushNotificationConfigsRequest>,
    ) -> Answer<proto::ListTaskPushNotificationConfigsResponse> {
        let call = self.admit::<_, protojson::ListTaskPushNotificationConfigsRequest>(request);
        let write = pbconv::to_proto_list_task_push_notification_configs_response;
        self.answer(call.await?, "ListTaskPushNotificationConfigs", write).await
    }

    async fn delete_task_push_notification_config(
        &self,
        request: Request<proto::DeleteTaskPushNotificationConfigRequest>,
    ) -> Answer<()> {
        let call = self.admit::<_, protojson::DeleteTaskPushNotificationConfigRequest>(request);
        let write = |_: &Value| ();
        self.answer(call.await?, "DeleteTaskPushNotificationConfig", write).await
    }

    async fn get_extended_agent_card(
        &self,
        request: Request<proto::GetExtendedAgentCardRequest>,
    ) -> Answer<proto::AgentCard> {
        let call = self.admit::<_, protojson::GetExtendedAgentCardRequest>(request).await?;
        self.answer(call, "GetExtendedAgentCard", pbconv::to_proto_agent_card).await
    }
}

/// The head of a call, as authenticators know heads.
fn head(metadata: MetadataMap) -> http::request::Parts {
    let mut request = http::Request::new(());
    *request.method_mut() = Method::POST;
    *request.headers_mut() = metadata.into_headers();
    request.into_parts().0
}

/// A request in its JSON form.
fn json<J: prost::Message + Default + Serialize>(
    message: &impl prost::Message,
) -> Result<Value, Fault> {
    let wrong = |_| Fault::invalid("request", "it cannot be read");
    let message = J::decode(message.encode_to_vec().as_slice()).map_err(wrong)?;
    serde_json::to_value(message)
        .map_err(|error| Fault::invalid("request", format!("it cannot be read: {error}")))
}

fn written(events: Events) -> BoxStream<'static, Result<proto::StreamResponse, Status>> {
    let write = |event: (_, wire::StreamResponse)| pbconv::to_proto_stream_response(&event.1);
    events.map(move |event| event.map(write).map_err(|fault| status(&fault))).boxed()
}

/// The error of the binding, with the details that the others have.
fn status(fault: &Fault) -> Status {
    let code = match fault.kind().rpc_status() {
        "NOT_FOUND" => Code::NotFound,
        "FAILED_PRECONDITION" => Code::FailedPrecondition,
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        _ => Code::Internal,
    };
    let none = std::collections::HashMap::<String, String>::new();
    let mut details = ErrorDetails::with_error_info(fault.kind().reason(), super::DOMAIN, none);
    if !fault.violations().is_empty() {
        let violations = fault.violations().iter();
        let violations = violations.map(|one| FieldViolation::new(&one.field, &one.description));
        details.set_bad_request(violations.collect::<Vec<_>>());
    }
    Status::with_error_details(code, fault.message(), details)
}

fn unauthenticated(refusal: &Unauthenticated) -> Status {
    let (code, reason) = match refusal.kind() {
        UnauthenticatedKind::Forbidden => (Code::PermissionDenied, "PERMISSION_DENIED"),
        UnauthenticatedKind::Unavailable => (Code::Unavailable, "UNAVAILABLE"),
        _ => (Code::Unauthenticated, "UNAUTHENTICATED"),
    };
    let none = std::collections::HashMap::<String, String>::new();
    let details = ErrorDetails::with_error_info(reason, super::DOMAIN, none);
    let mut headers = HeaderMap::new();
    if let Some(Ok(challenge)) = refusal.challenge().map(HeaderValue::from_str) {
        headers.insert(http::header::WWW_AUTHENTICATE, challenge);
    }
    let metadata = MetadataMap::from_headers(headers);
    Status::with_error_details_and_metadata(code, refusal.to_string(), details, metadata)
}
