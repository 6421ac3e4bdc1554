//! The gRPC binding, by the client that is generated from the protocol's definition.
#![cfg(feature = "grpc")]

mod harness;

use std::time::Duration;

use a2a_pb::proto;
use a2a_pb::proto::a2a_service_client::A2aServiceClient;
use futures::StreamExt;
use harness::Place;
use http::Method;
use interactions_a2a::A2aHost;
use interactions_a2a::auth::BearerKeys;
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

type Client = A2aServiceClient<Channel>;

struct Served {
    place: Place,
    client: Client,
    stop: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
    url: String,
}

async fn serve(change: impl FnOnce(A2aHost) -> A2aHost) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let base_url = url.clone();
    let place = Place::with(|host| change(host.grpc(true).base_url(base_url))).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let host = place.host.clone();
    let serving = tokio::spawn(async move {
        let stopped = async move { drop(stopped.await) };
        host.serve(listener, stopped).await.expect("it serves");
    });
    let client = A2aServiceClient::connect(url.clone()).await.expect("a connection");
    Served { place, client, stop, serving, url }
}

impl Served {
    async fn close(self) {
        drop(self.client);
        self.stop.send(()).expect("it is stopped");
        let ended = tokio::time::timeout(Duration::from_secs(15), self.serving);
        ended.await.expect("in time").expect("without a panic");
        self.place.close().await;
    }
}

fn call<T>(message: T) -> Request<T> {
    as_caller(message, None)
}

fn as_caller<T>(message: T, key: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("a2a-version", MetadataValue::from_static("1.0"));
    if let Some(key) = key {
        let value = format!("Bearer {key}").parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn message(text: &str) -> proto::SendMessageRequest {
    let part = proto::Part {
        content: Some(proto::part::Content::Text(text.to_owned())),
        ..proto::Part::default()
    };
    let message = proto::Message {
        message_id: uuid::Uuid::now_v7().to_string(),
        role: proto::Role::User.into(),
        parts: vec![part],
        ..proto::Message::default()
    };
    proto::SendMessageRequest { message: Some(message), ..Default::default() }
}

fn task(answer: proto::SendMessageResponse) -> proto::Task {
    match answer.payload.expect("an answer") {
        proto::send_message_response::Payload::Task(task) => task,
        proto::send_message_response::Payload::Message(other) => panic!("{other:?} is no task"),
    }
}

fn state(task: &proto::Task) -> proto::TaskState {
    task.status.as_ref().expect("a status").state()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().expect("details").reason
}

#[tokio::test]
async fn what_the_other_bindings_do_is_done_over_grpc() {
    let mut served = serve(|host| host).await;
    let sent = served.client.send_message(call(message("count to 3"))).await.unwrap();
    let done = task(sent.into_inner());
    assert_eq!(state(&done), proto::TaskState::Completed);
    let parts = &done.artifacts[0].parts;
    assert_eq!(parts[0].content, Some(proto::part::Content::Text("1 2 3".to_owned())));

    let get = proto::GetTaskRequest { id: done.id.clone(), ..Default::default() };
    let read = served.client.get_task(call(get)).await.unwrap().into_inner();
    assert_eq!(read, done);
    let path = format!("/tasks/{}", done.id);
    let (_, over_http) = served.place.rest(Method::GET, &path, &Value::Null).await;
    assert_eq!(over_http["id"], done.id, "it is the same host");

    let list = proto::ListTasksRequest { page_size: Some(1), ..Default::default() };
    let listed = served.client.list_tasks(call(list)).await.unwrap().into_inner();
    assert_eq!((listed.tasks.len(), listed.total_size, listed.page_size), (1, 1, 1));

    let card = served.place.rest(Method::GET, "/.well-known/agent-card.json", &Value::Null).await;
    let grpc = &card.1["supportedInterfaces"][2];
    assert_eq!(grpc["protocolBinding"], "GRPC");
    assert_eq!(format!("http://{}", grpc["url"].as_str().unwrap()), served.url);
    served.close().await;
}

#[tokio::test]
async fn events_come_as_they_are_made() {
    let mut served = serve(|host| host).await;
    let stream = served.client.send_streaming_message(call(message("count to 3"))).await.unwrap();
    let events: Vec<_> = stream.into_inner().map(|event| event.unwrap().payload).collect().await;
    let Some(Some(proto::stream_response::Payload::Task(first))) = events.first() else {
        panic!("{events:?}")
    };
    assert!(events.len() > 3, "{events:?}");
    let Some(Some(proto::stream_response::Payload::StatusUpdate(last))) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(last.status.as_ref().unwrap().state(), proto::TaskState::Completed);

    let ended = proto::SubscribeToTaskRequest { id: first.id.clone(), ..Default::default() };
    let refused = served.client.subscribe_to_task(call(ended)).await.unwrap_err();
    assert_eq!(
        (refused.code(), &*reason(&refused)),
        (Code::FailedPrecondition, "UNSUPPORTED_OPERATION")
    );

    let mut waits = message("wait 30");
    waits.configuration =
        Some(proto::SendMessageConfiguration { return_immediately: true, ..Default::default() });
    let at_work = task(served.client.send_message(call(waits)).await.unwrap().into_inner());
    let follow = proto::SubscribeToTaskRequest { id: at_work.id.clone(), ..Default::default() };
    let mut stream = served.client.subscribe_to_task(call(follow)).await.unwrap().into_inner();
    stream.next().await.unwrap().unwrap();
    let cancel = proto::CancelTaskRequest { id: at_work.id, ..Default::default() };
    let stopped = served.client.cancel_task(call(cancel)).await.unwrap().into_inner();
    assert_eq!(state(&stopped), proto::TaskState::Canceled);
    let rest = tokio::time::timeout(Duration::from_secs(10), stream.collect::<Vec<_>>());
    assert!(rest.await.is_ok(), "the stream ends with its task");
    served.close().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_as_everywhere() {
    let mut served = serve(|host| host).await;
    let unknown = proto::GetTaskRequest { id: "nope".to_owned(), ..Default::default() };
    let refused = served.client.get_task(call(unknown.clone())).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::NotFound, "TASK_NOT_FOUND"));
    assert_eq!(refused.get_details_error_info().unwrap().domain, "a2a-protocol.org");

    let refused = served.client.get_task(Request::new(unknown)).await.unwrap_err();
    assert_eq!(reason(&refused), "VERSION_NOT_SUPPORTED", "requests name their version");

    let mut empty = message("x");
    empty.message.as_mut().unwrap().parts.clear();
    let mut hollow = message("x");
    hollow.message.as_mut().unwrap().parts[0].content = None;
    let mut nobody = message("x");
    nobody.message.as_mut().unwrap().role = 0;
    let nothing = proto::SendMessageRequest::default();
    for wrong in [empty, hollow, nobody, nothing] {
        let refused = served.client.send_message(call(wrong.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{wrong:?}: {refused:?}");
        let violations = refused.get_details_bad_request().unwrap().field_violations;
        assert!(violations[0].field.starts_with("message"), "{violations:?}");
    }
    served.close().await;
}

#[tokio::test]
async fn callers_are_known_and_apart() {
    let keys = BearerKeys::new([("key-of-anna", "anna"), ("key-of-bert", "bert")]).unwrap();
    let mut served = serve(|host| host.authenticator(keys)).await;
    let refused = served.client.send_message(call(message("hi"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.metadata().get("www-authenticate").is_some());
    let anna = as_caller(message("hi"), Some("key-of-anna"));
    let own = task(served.client.send_message(anna).await.unwrap().into_inner());
    let get = proto::GetTaskRequest { id: own.id, ..Default::default() };
    let foreign = served.client.get_task(as_caller(get.clone(), Some("key-of-bert")));
    assert_eq!(foreign.await.unwrap_err().code(), Code::NotFound);
    served.client.get_task(as_caller(get, Some("key-of-anna"))).await.unwrap();
    served.close().await;
}

#[tokio::test]
async fn push_configurations_are_made_read_and_deleted() {
    let mut served = serve(|host| host).await;
    let done = task(served.client.send_message(call(message("hi"))).await.unwrap().into_inner());
    let config = proto::TaskPushNotificationConfig {
        task_id: done.id.clone(),
        url: "https://hooks.example/x".to_owned(),
        token: "secret".to_owned(),
        ..Default::default()
    };
    let made = served.client.create_task_push_notification_config(call(config)).await.unwrap();
    let made = made.into_inner();
    assert!(!made.id.is_empty() && made.token.is_empty(), "{made:?}");
    let get = proto::GetTaskPushNotificationConfigRequest {
        task_id: done.id.clone(),
        id: made.id.clone(),
        ..Default::default()
    };
    let read = served.client.get_task_push_notification_config(call(get)).await.unwrap();
    assert_eq!(read.into_inner(), made);
    let list = proto::ListTaskPushNotificationConfigsRequest {
        task_id: done.id.clone(),
        ..Default::default()
    };
    let listed = served.client.list_task_push_notification_configs(call(list)).await.unwrap();
    assert_eq!(listed.into_inner().configs.len(), 1);
    let delete = proto::DeleteTaskPushNotificationConfigRequest {
        task_id: done.id,
        id: made.id,
        ..Default::default()
    };
    served.client.delete_task_push_notification_config(call(delete)).await.unwrap();
    served.close().await;
}
