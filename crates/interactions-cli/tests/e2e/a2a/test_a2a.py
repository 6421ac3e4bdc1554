"""Google's a2a-sdk 1.3.0, unmodified, against the host, in both bindings; and what no SDK would send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid

import httpx
import pytest
import pytest_asyncio
from a2a.client import A2ACardResolver, AuthInterceptor, ClientConfig, ClientFactory
from a2a.client.auth import CredentialService
from a2a.client.errors import A2AClientError
from a2a.helpers.proto_helpers import new_data_part, new_text_part
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.types.a2a_pb2 import (
    AuthenticationInfo,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
)
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from conftest import KEY, KEY_OTHER
from google.protobuf.json_format import MessageToDict, Parse
from wire import Wire, message

BINDINGS = ["JSONRPC", "HTTP+JSON"]

# What the host's scripted model does with these stands in conftest.py and docs/server.md.
SHORT = "count to 6"
LONG = "count to 60"  # three seconds
ENDLESS = "count to 1000"  # fifty seconds: only to be cancelled
ASK = "ask_human which city it is"

COMPLETED = TaskState.TASK_STATE_COMPLETED
WORKING = TaskState.TASK_STATE_WORKING
SUBMITTED = TaskState.TASK_STATE_SUBMITTED
CANCELED = TaskState.TASK_STATE_CANCELED
INPUT_REQUIRED = TaskState.TASK_STATE_INPUT_REQUIRED


# --- the SDK's client --------------------------------------------------------------------------------------------


class Caller:
    """An a2a-sdk client of one binding, and the raw wire beside it."""

    def __init__(self, card: AgentCard, binding: str, key: str | None = KEY, tenant: str = "") -> None:
        self.card = AgentCard()
        self.card.CopyFrom(card)
        if tenant:
            for interface in self.card.supported_interfaces:
                interface.tenant = tenant
        self.binding, self.key, self.tenant = binding, key, tenant
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.http = httpx.AsyncClient(headers=headers, timeout=60, trust_env=False)
        self.streaming = self.client(streaming=True)
        self.blocking = self.client(streaming=False)
        self.polling = self.client(streaming=False, polling=True)
        found = [each for each in self.card.supported_interfaces if each.protocol_binding == binding]
        assert found, f"the card has no {binding}"
        self.wire = Wire(binding, found[0].url, key)

    def client(self, **options):
        config = ClientConfig(httpx_client=self.http, supported_protocol_bindings=[self.binding], **options)
        return ClientFactory(config).create(self.card)

    async def send(self, text: str = "", *, client=None, parts=None, **fields):
        """Blocking: the task or message that is answered."""
        request = asking(text, parts, **fields)
        (event,) = [event async for event in (client or self.blocking).send_message(request)]
        return event.task if event.HasField("task") else event.message

    def stream(self, text: str = "", *, parts=None, **fields):
        return self.streaming.send_message(asking(text, parts, **fields))

    async def start(self, text: str) -> Task:
        """A task that is under way."""
        task = await self.send(text, client=self.polling)
        assert task.status.state in (SUBMITTED, WORKING), task
        return task

    async def get(self, id: str, **fields) -> Task:
        return await self.blocking.get_task(GetTaskRequest(id=id, **fields))

    async def settled(self, id: str, limit: float = 30) -> Task:
        deadline = time.monotonic() + limit
        while (task := await self.get(id)).status.state in (SUBMITTED, WORKING):
            assert time.monotonic() < deadline, task
            await asyncio.sleep(0.05)
        return task

    async def cancel(self, id: str) -> Task:
        return await self.blocking.cancel_task(CancelTaskRequest(id=id))


def asking(text: str, parts=None, *, history_length=None, metadata=None, **fields) -> SendMessageRequest:
    fields.setdefault("message_id", str(uuid.uuid4()))
    request = SendMessageRequest(
        message=Message(role=Role.ROLE_USER, parts=parts or [new_text_part(text)], **fields)
    )
    if history_length is not None:
        request.configuration.history_length = history_length
    if metadata:
        request.message.metadata.update(metadata)
    return request


def text_of(parts) -> str:
    return "".join(part.text for part in parts)


def answer(task: Task) -> str:
    return "".join(text_of(artifact.parts) for artifact in task.artifacts)


def counted(end: int) -> str:
    return " ".join(str(number) for number in range(1, end + 1))


def kind(event) -> str:
    return event.WhichOneof("payload")


@pytest_asyncio.fixture
async def card(base) -> AgentCard:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await A2ACardResolver(http, base).get_agent_card()


@pytest_asyncio.fixture(params=BINDINGS)
async def caller(request, card):
    caller = Caller(card, request.param)
    yield caller
    await caller.http.aclose()


@pytest_asyncio.fixture
async def stranger(caller, card):
    """The same for the other owner."""
    stranger = Caller(card, caller.binding, KEY_OTHER)
    yield stranger
    await stranger.http.aclose()


# --- the card ----------------------------------------------------------------------------------------------------


async def test_card(card, base):
    interfaces = [(each.protocol_binding, each.protocol_version) for each in card.supported_interfaces]
    assert {("JSONRPC", "1.0"), ("HTTP+JSON", "1.0")} <= set(interfaces)
    assert all(each.url.startswith(base) for each in card.supported_interfaces)
    assert card.name and card.description and card.version and card.skills
    assert card.default_input_modes and card.default_output_modes
    assert all(skill.id and skill.name and skill.description and skill.tags for skill in card.skills)
    assert card.capabilities.streaming and card.capabilities.push_notifications
    assert card.capabilities.extended_agent_card
    bearer = [
        name
        for name, scheme in card.security_schemes.items()
        if scheme.http_auth_security_scheme.scheme.lower() == "bearer"
    ]
    assert bearer, "the card says that a bearer key is wanted"
    assert any(name in requirement.schemes for requirement in card.security_requirements for name in bearer)


async def test_card_is_cached(base):
    url = f"{base}/.well-known/agent-card.json"
    async with httpx.AsyncClient(trust_env=False) as http:
        first = await http.get(url)
        assert first.status_code == 200 and first.headers["content-type"].startswith("application/json")
        tag = first.headers["etag"]
        assert "max-age" in first.headers["cache-control"]
        again = await http.get(url, headers={"If-None-Match": tag})
        assert again.status_code == 304 and not again.content and again.headers["etag"] == tag
        other = await http.get(url, headers={"If-None-Match": '"another"'})
        assert other.status_code == 200 and other.headers["etag"] == tag
        # Unknown fields are ignored, but strict parsers must find none.
        Parse(first.text, AgentCard())


async def test_card_never_follows_the_host_header(base):
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await http.get(f"{base}/.well-known/agent-card.json", headers={"Host": "evil.example"})
    assert "evil.example" not in found.text


async def test_signature(base, card_key):
    verify = create_signature_verifier(lambda kid, jku: card_key, ["ES256", "EdDSA", "RS256"])
    async with httpx.AsyncClient(trust_env=False) as http:
        card = await A2ACardResolver(http, base).get_agent_card(signature_verifier=verify)
        for signature in card.signatures:
            import base64

            header = json.loads(base64.urlsafe_b64decode(signature.protected + "=="))
            assert header["alg"] and header["kid"] and header["typ"] == "JOSE", header
        card.description += " changed"
        with pytest.raises(InvalidSignaturesError):
            verify(card)


async def test_the_credentials_that_the_card_asks_for_are_enough(card, caller):
    """Nothing but the card tells this client where the key goes."""

    class Keys(CredentialService):
        async def get_credentials(self, security_scheme_name, context):
            return KEY

    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[caller.binding], streaming=False)
        client = ClientFactory(config).create(card, [AuthInterceptor(Keys())])
        (event,) = [event async for event in client.send_message(asking(SHORT))]
    assert event.task.status.state == COMPLETED


async def test_extended_card(caller, card_key):
    extended = await caller.blocking.get_extended_agent_card(GetExtendedAgentCardRequest())
    assert extended.name and extended.supported_interfaces
    assert {skill.id for skill in caller.card.skills} <= {skill.id for skill in extended.skills}
    if extended.signatures:
        create_signature_verifier(lambda kid, jku: card_key, ["ES256", "EdDSA", "RS256"])(extended)


# --- send and stream ---------------------------------------------------------------------------------------------


async def test_send(caller):
    task = await caller.send(SHORT)
    assert isinstance(task, Task) and task.status.state == COMPLETED
    assert task.id and task.context_id and task.status.HasField("timestamp")
    assert answer(task).strip() == counted(6)
    assert all(artifact.artifact_id and artifact.parts for artifact in task.artifacts)
    assert task.history[0].role == Role.ROLE_USER and text_of(task.history[0].parts) == SHORT
    assert task.history[0].task_id == task.id and task.history[0].context_id == task.context_id
    again = await caller.get(task.id)
    assert (again.status, list(again.artifacts)) == (task.status, list(task.artifacts))


async def test_return_immediately(caller):
    task = await caller.start(LONG)
    assert answer(await caller.settled(task.id)).strip() == counted(60)


async def test_stream(caller):
    events = [event async for event in caller.stream(SHORT)]
    assert kind(events[0]) == "task"
    first = events[0].task
    assert first.status.state in (SUBMITTED, WORKING)
    assert "task" not in [kind(event) for event in events[1:]]

    chunks = [event.artifact_update for event in events if kind(event) == "artifact_update"]
    assert len(chunks) > 1
    by_artifact: dict[str, list] = {}
    for chunk in chunks:
        assert (chunk.task_id, chunk.context_id) == (first.id, first.context_id)
        assert chunk.artifact.parts, "parts are never empty"
        by_artifact.setdefault(chunk.artifact.artifact_id, []).append(chunk)
    for pieces in by_artifact.values():
        assert [piece.append for piece in pieces] == [False] + [True] * (len(pieces) - 1)
        assert [piece.last_chunk for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    joined = "".join(text_of(chunk.artifact.parts) for chunk in chunks)
    assert joined.strip() == counted(6)

    states = [event.status_update.status.state for event in events if kind(event) == "status_update"]
    assert kind(events[-1]) == "status_update" and states[-1] == COMPLETED
    assert states.count(COMPLETED) == 1 and set(states) <= {SUBMITTED, WORKING, COMPLETED}
    assert answer(await caller.get(first.id)) == joined, "the snapshot is the sum of its events"


async def test_stream_comes_as_it_is_made(caller):
    times = [time.monotonic() async for event in caller.stream("count to 20") if kind(event) == "artifact_update"]
    assert times[-1] - times[0] > 0.4, "all at once"


async def test_silence_is_kept_alive(card, caller):
    """The SDK's client as it comes gives up after five seconds of silence (httpx's default)."""

    class Keys(CredentialService):
        async def get_credentials(self, security_scheme_name, context):
            return KEY

    config = ClientConfig(supported_protocol_bindings=[caller.binding])
    async with ClientFactory(config).create(card, [AuthInterceptor(Keys())]) as client:
        events = [event async for event in client.send_message(asking("wait 7"))]
    assert events[-1].status_update.status.state == COMPLETED


async def test_leaving_a_stream_does_not_end_the_task(caller):
    stream = caller.stream(LONG)
    async for event in stream:
        if kind(event) == "task":
            id = event.task.id
        if kind(event) == "artifact_update":
            break
    await stream.aclose()
    assert answer(await caller.settled(id)).strip() == counted(60)


async def test_turns_of_one_context(caller):
    first = await caller.send(SHORT)
    second = await caller.send("count to 3", context_id=first.context_id)
    assert second.context_id == first.context_id and second.id != first.id
    third = await caller.send("count to 2", context_id=first.context_id, reference_task_ids=[second.id])
    assert third.context_id == first.context_id
    listed = await caller.blocking.list_tasks(ListTasksRequest(context_id=first.context_id))
    assert [task.id for task in listed.tasks] == [third.id, second.id, first.id]


async def test_a_message_sent_twice_is_one_task(caller):
    id = str(uuid.uuid4())
    first = await caller.send(SHORT, message_id=id)
    second = await caller.send(SHORT, message_id=id)
    assert first.id == second.id


# --- a person is asked -------------------------------------------------------------------------------------------


def the_call(task: Task) -> dict:
    """The one call that the task waits for, as ADK's RemoteA2aAgent reads it."""
    assert task.status.state == INPUT_REQUIRED, task
    parts = [part for part in task.status.message.parts if part.HasField("data")]
    assert len(parts) == 1, task.status.message
    metadata, data = MessageToDict(parts[0].metadata), MessageToDict(parts[0].data)
    assert metadata["adk_type"] == "function_call" and metadata["adk_is_long_running"] is True, metadata
    assert data["name"] == "ask_human" and data["id"] and data["arguments"] == {"question": "Which city?"}, data
    assert task.status.message.role == Role.ROLE_AGENT
    assert not task.artifacts, "adk takes artifacts beside a question for an answer (adk-go#913)"
    return data


def function_response(call: dict, **changes):
    part = new_data_part({"name": call["name"], "id": call["id"], "response": {"result": "Rome"}} | changes)
    part.metadata.update({"adk_type": "function_response"})
    return part


async def test_input_required(caller):
    task = await caller.send(ASK)
    call = the_call(task)
    assert the_call(await caller.get(task.id)) == call
    done = await caller.send(parts=[function_response(call)], task_id=task.id, context_id=task.context_id)
    assert done.id == task.id and done.context_id == task.context_id
    assert done.status.state == COMPLETED and "Rome" in answer(done)


async def test_input_required_in_a_stream(caller):
    events = [event async for event in caller.stream(ASK)]
    assert kind(events[0]) == "task" and kind(events[-1]) == "status_update"
    assert events[-1].status_update.status.state == INPUT_REQUIRED, "the stream ends where a person is needed"
    task = await caller.get(events[0].task.id)
    call = the_call(task)
    # The context follows from the task.
    rest = [event async for event in caller.stream(parts=[function_response(call)], task_id=task.id)]
    assert kind(rest[0]) == "task" and rest[0].task.id == task.id
    assert rest[-1].status_update.status.state == COMPLETED
    joined = "".join(text_of(e.artifact_update.artifact.parts) for e in rest if kind(e) == "artifact_update")
    assert "Rome" in joined


async def test_an_answer_to_another_call(caller):
    task = await caller.send(ASK)
    call = the_call(task)
    with contextlib.suppress(InvalidParamsError):
        still = await caller.send(parts=[function_response(call, id="call-of-nobody")], task_id=task.id)
        assert the_call(still)["id"] == call["id"]
    assert the_call(await caller.get(task.id))["id"] == call["id"], "the question stands"
    assert (await caller.send(parts=[function_response(call)], task_id=task.id)).status.state == COMPLETED


async def test_a_waiting_task_can_be_cancelled(caller):
    task = await caller.send(ASK)
    call = the_call(task)
    assert (await caller.cancel(task.id)).status.state == CANCELED
    with pytest.raises(UnsupportedOperationError):
        await caller.send(parts=[function_response(call)], task_id=task.id)


async def test_a_waiting_task_survives_a_restart(caller, restart):
    task = await caller.send(ASK)
    await asyncio.to_thread(restart)
    call = the_call(await caller.get(task.id))
    done = await caller.send(parts=[function_response(call)], task_id=task.id)
    assert done.status.state == COMPLETED and "Rome" in answer(done)


# --- cancel and subscribe ----------------------------------------------------------------------------------------


async def test_cancel(caller):
    task = await caller.start(ENDLESS)
    canceled = await caller.cancel(task.id)
    assert canceled.id == task.id and canceled.status.state == CANCELED
    size = len(answer(await caller.get(task.id)))
    await asyncio.sleep(0.5)
    after = await caller.get(task.id)
    assert after.status.state == CANCELED and len(answer(after)) == size, "it goes on"


async def test_cancel_twice(caller):
    task = await caller.start(ENDLESS)
    for _ in range(2):
        assert (await caller.cancel(task.id)).status.state == CANCELED


async def test_cancel_ends_the_stream(caller):
    states, id = [], None
    async for event in caller.stream(ENDLESS):
        if kind(event) == "task":
            id = event.task.id
        elif kind(event) == "artifact_update" and not states.count("asked"):
            states.append("asked")
            assert (await caller.cancel(id)).status.state == CANCELED
        elif kind(event) == "status_update":
            states.append(event.status_update.status.state)
    assert states[-1] == CANCELED


async def test_cancel_of_a_completed_task(caller):
    task = await caller.send(SHORT)
    with pytest.raises(TaskNotCancelableError):
        await caller.cancel(task.id)
    caller.wire.call("CancelTask", {"id": task.id}).refused("TASK_NOT_CANCELABLE")


async def follow(caller: Caller, id: str):
    """What a subscriber gets: the snapshot, and the text that snapshot and updates spell together."""
    events = [event async for event in caller.streaming.subscribe(SubscribeToTaskRequest(id=id))]
    assert kind(events[0]) == "task" and events[0].task.id == id
    snapshot = events[0].task
    text = answer(snapshot)
    for event in events[1:]:
        if kind(event) == "artifact_update":
            text += text_of(event.artifact_update.artifact.parts)
    assert kind(events[-1]) == "status_update"
    return snapshot, events, text


async def test_subscribe(caller):
    task = await caller.start(LONG)
    await asyncio.sleep(0.5)
    (snapshot, events, text), (_, _, other) = await asyncio.gather(follow(caller, task.id), follow(caller, task.id))
    assert snapshot.status.state in (SUBMITTED, WORKING)
    assert events[-1].status_update.status.state == COMPLETED
    assert text.strip() == other.strip() == counted(60), "nothing lost, nothing twice"
    with pytest.raises(UnsupportedOperationError):
        await follow(caller, task.id)
    caller.wire.events("SubscribeToTask", {"id": task.id}).refused("UNSUPPORTED_OPERATION")


async def test_subscribe_by_get(caller):
    if caller.binding != "HTTP+JSON":
        pytest.skip("HTTP+JSON only")
    task = await caller.start(LONG)
    found = caller.wire.call("SubscribeToTask", {"id": task.id}, method="GET")
    assert found.http.headers["content-type"].startswith("text/event-stream")
    assert '"TASK_STATE_COMPLETED"' in found.http.text.strip().splitlines()[-1]


async def test_subscribe_after_a_restart(caller, restart):
    """kill -9 in the middle of a stream; the task goes on, and a subscriber gets all of it."""
    before, id = "", None
    with pytest.raises(A2AClientError):
        async for event in caller.stream(LONG):
            if kind(event) == "task":
                id = event.task.id
            elif kind(event) == "artifact_update":
                before += text_of(event.artifact_update.artifact.parts)
                if len(before.split()) == 8:
                    await asyncio.to_thread(restart)
    assert len(before.split()) < 50, "the stream outlived the server"
    snapshot, events, text = await follow(caller, id)
    assert snapshot.status.state in (SUBMITTED, WORKING)
    assert events[-1].status_update.status.state == COMPLETED
    assert text.strip() == counted(60)
    assert answer(await caller.get(id)).strip() == counted(60)


async def test_last_event_id(caller):
    task = await caller.start(LONG)
    wire = caller.wire
    head = await asyncio.to_thread(wire.events, "SubscribeToTask", {"id": task.id}, None, 8)
    ids = [id for id, _ in head]
    assert None not in ids and len(set(ids)) == len(ids), ids
    tail = await asyncio.to_thread(wire.events, "SubscribeToTask", {"id": task.id}, {"Last-Event-ID": ids[-1]})
    assert not set(ids) & {id for id, _ in tail[1:]}, "an event comes again"

    def said(events):
        parts = [e["artifactUpdate"]["artifact"]["parts"] for _, e in events if "artifactUpdate" in e]
        return "".join(part["text"] for each in parts for part in each)

    snapshot = head[0][1]["task"]
    start = "".join(part["text"] for artifact in snapshot.get("artifacts", []) for part in artifact["parts"])
    # Whether the second stream begins with the Task or with the next event, nothing is lost or comes twice.
    assert (start + said(head) + said(tail)).strip() == counted(60)


# --- push --------------------------------------------------------------------------------------------------------


def config_for(push, path: str, task: str = "", **fields) -> TaskPushNotificationConfig:
    return TaskPushNotificationConfig(
        task_id=task,
        url=push.url(path),
        token="the-token",
        authentication=AuthenticationInfo(scheme="Bearer", credentials="the-credentials"),
        **fields,
    )


def ended(notes) -> bool:
    return any(
        note.get("statusUpdate", note.get("task", {})).get("status", {}).get("state") == "TASK_STATE_COMPLETED"
        for _, note in notes
    )


def check_notes(notes, task: str) -> None:
    for headers, note in notes:
        assert headers["x-a2a-notification-token"] == "the-token"
        assert headers["authorization"] == "Bearer the-credentials"
        assert headers["content-type"].startswith(("application/a2a+json", "application/json"))
        assert len(note) == 1, note
        ((name, value),) = note.items()
        assert name in ("task", "statusUpdate", "artifactUpdate", "message"), note
        assert value.get("id" if name == "task" else "taskId") == task
    said = [part["text"] for _, note in notes if "artifactUpdate" in note
            for part in note["artifactUpdate"]["artifact"]["parts"]]
    if said:
        assert "".join(said).split() == sorted("".join(said).split(), key=int), "out of order"


async def test_push(caller, push):
    task = await caller.start(LONG)
    path = f"/{uuid.uuid4()}"
    client = caller.blocking
    created = await client.create_task_push_notification_config(config_for(push, path, task.id))
    assert created.id and created.task_id == task.id and created.url == push.url(path)
    found = await client.get_task_push_notification_config(
        GetTaskPushNotificationConfigRequest(task_id=task.id, id=created.id)
    )
    assert (found.id, found.url) == (created.id, created.url)
    second = await client.create_task_push_notification_config(config_for(push, path + "-2", task.id, id="mine"))
    assert second.id == "mine"
    listed = await client.list_task_push_notification_configs(
        ListTaskPushNotificationConfigsRequest(task_id=task.id)
    )
    assert {each.id for each in listed.configs} == {created.id, "mine"}
    for _ in range(2):  # idempotent
        await client.delete_task_push_notification_config(
            DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        )
    listed = await client.list_task_push_notification_configs(
        ListTaskPushNotificationConfigsRequest(task_id=task.id)
    )
    assert [each.id for each in listed.configs] == [created.id]
    assert (await caller.settled(task.id)).status.state == COMPLETED
    notes = await asyncio.to_thread(push.wait, path, ended)
    check_notes(notes, task.id)


async def test_push_secrets_are_not_echoed(caller, push):
    task = await caller.start(LONG)
    params = {"taskId": task.id, "url": push.url("/secret"), "token": "the-token",
              "authentication": {"scheme": "Bearer", "credentials": "the-credentials"}}
    answers = [caller.wire.call("CreateTaskPushNotificationConfig", params)]
    of = {"taskId": task.id, "id": answers[0].result["id"]}
    answers += [caller.wire.call("GetTaskPushNotificationConfig", of),
                caller.wire.call("ListTaskPushNotificationConfigs", {"taskId": task.id})]
    for each in answers:
        assert each.error is None, each.error
        assert "the-credentials" not in each.http.text and "the-token" not in each.http.text
    await caller.cancel(task.id)


async def test_push_named_in_the_message(caller, push):
    path = f"/{uuid.uuid4()}"
    request = asking(SHORT)
    request.configuration.task_push_notification_config.CopyFrom(config_for(push, path))
    (event,) = [event async for event in caller.blocking.send_message(request)]
    assert event.task.status.state == COMPLETED
    check_notes(await asyncio.to_thread(push.wait, path, ended), event.task.id)


async def test_push_is_tried_again(caller, push):
    path = f"/{uuid.uuid4()}"
    push.refuse[path] = 2
    request = asking(SHORT)
    request.configuration.task_push_notification_config.CopyFrom(config_for(push, path))
    (event,) = [event async for event in caller.blocking.send_message(request)]
    notes = await asyncio.to_thread(push.wait, path, ended)
    check_notes(notes, event.task.id)
    said = [part["text"] for _, note in notes if "artifactUpdate" in note
            for part in note["artifactUpdate"]["artifact"]["parts"]]
    assert "".join(said).strip() == answer(event.task).strip(), "what was refused has come in the end"


PRIVATE = [
    "http://127.0.0.1:1/hook",
    "http://localhost:1/hook",
    "http://[::1]:1/hook",
    "http://[::ffff:127.0.0.1]:1/hook",
    "http://0.0.0.0:1/hook",
    "http://10.0.0.1/hook",
    "http://192.168.1.1/hook",
    "http://169.254.169.254/latest/meta-data",
    "http://2130706433:1/hook",
    "ftp://example.com/hook",
    "file:///etc/passwd",
    "not a url",
]


async def test_private_push_is_refused(caller):
    task = await caller.start(ENDLESS)
    try:
        for url in PRIVATE:
            config = TaskPushNotificationConfig(task_id=task.id, url=url)
            with pytest.raises(InvalidParamsError):
                await caller.blocking.create_task_push_notification_config(config)
                pytest.fail(f"{url} was taken")
        caller.wire.call("CreateTaskPushNotificationConfig", {"taskId": task.id, "url": PRIVATE[0]}).refused(
            "INVALID_PARAMS"
        )
        request = asking(SHORT)
        request.configuration.task_push_notification_config.url = PRIVATE[0]
        with pytest.raises(InvalidParamsError):
            _ = [event async for event in caller.blocking.send_message(request)]
    finally:
        await caller.cancel(task.id)


# --- get and list ------------------------------------------------------------------------------------------------


async def test_history_length_of_get(caller):
    task = await caller.send(ASK)
    call = the_call(task)
    await caller.send(parts=[function_response(call)], task_id=task.id)
    whole = await caller.get(task.id)
    assert len(whole.history) >= 2
    assert not (await caller.get(task.id, history_length=0)).history
    (last,) = (await caller.get(task.id, history_length=1)).history
    assert last == whole.history[-1]
    assert list((await caller.get(task.id, history_length=100)).history) == list(whole.history)
    # 0 means: no such key at all.
    raw = caller.wire.call("GetTask", {"id": task.id, "historyLength": 0}).result
    assert "history" not in raw or raw["history"] == []
    caller.wire.call("GetTask", {"id": task.id, "historyLength": -1}).refused("INVALID_PARAMS")


async def test_history_length_of_send(caller):
    assert not (await caller.send(SHORT, history_length=0)).history
    assert len((await caller.send(SHORT, history_length=1)).history) == 1


async def test_list(caller):
    context = (await caller.send(SHORT)).context_id
    ids = [task.id for task in [await caller.send("count to 2", context_id=context) for _ in range(4)]]
    waiting = await caller.send(ASK, context_id=context)
    newest_first = [waiting.id, *reversed(ids)]

    async def listed(**fields):
        return await caller.blocking.list_tasks(ListTasksRequest(context_id=context, **fields))

    everything = await listed()
    assert [task.id for task in everything.tasks][:5] == newest_first and len(everything.tasks) == 6
    assert everything.next_page_token == "" and everything.total_size == 6
    assert everything.page_size == 50
    stamps = [task.status.timestamp.ToNanoseconds() for task in everything.tasks]
    assert stamps == sorted(stamps, reverse=True)
    assert all(not task.artifacts for task in everything.tasks), "artifacts only when asked for"

    pages, token = [], ""
    while True:
        page = await listed(page_size=4, page_token=token)
        assert page.page_size == 4 and page.total_size == 6
        pages.append([task.id for task in page.tasks])
        if not (token := page.next_page_token):
            break
    assert [len(page) for page in pages] == [4, 2]
    assert [id for page in pages for id in page] == [task.id for task in everything.tasks]

    with_artifacts = await listed(include_artifacts=True)
    assert answer(with_artifacts.tasks[1]).strip() == "1 2"
    (only,) = (await listed(status=INPUT_REQUIRED)).tasks
    assert only.id == waiting.id
    assert len((await listed(status=COMPLETED)).tasks) == 5
    assert not (await listed(status=TaskState.TASK_STATE_FAILED)).tasks
    assert all(not task.history for task in (await listed(history_length=0)).tasks)
    assert all(len(task.history) == 1 for task in (await listed(history_length=1)).tasks)
    after = everything.tasks[2].status.timestamp
    recent = await listed(status_timestamp_after=after)
    assert {task.id for task in everything.tasks[:2]} <= {task.id for task in recent.tasks}
    assert everything.tasks[3].id not in {task.id for task in recent.tasks}
    await caller.cancel(waiting.id)


async def test_list_on_the_wire(caller):
    task = await caller.send(SHORT)
    wire = caller.wire
    of = {"contextId": task.context_id}
    bare = wire.call("ListTasks", of).result
    assert bare.keys() >= {"tasks", "nextPageToken", "pageSize", "totalSize"}, "required even when empty"
    assert "artifacts" not in bare["tasks"][0]
    full = wire.call("ListTasks", of | {"includeArtifacts": True}).result
    assert full["tasks"][0]["artifacts"]
    none = wire.call("ListTasks", {"contextId": str(uuid.uuid4())})
    assert none.result["tasks"] == [] and none.result["nextPageToken"] == "" and none.result["totalSize"] == 0
    for wrong in ({"pageSize": 0}, {"pageSize": 101}, {"pageSize": -1}, {"pageToken": "no such page"},
                  {"historyLength": -1}):
        wire.call("ListTasks", of | wrong).refused("INVALID_PARAMS")


# --- errors ------------------------------------------------------------------------------------------------------


async def test_unknown_task(caller):
    id = str(uuid.uuid4())
    with pytest.raises(TaskNotFoundError):
        await caller.get(id)
    with pytest.raises(TaskNotFoundError):
        await caller.cancel(id)
    with pytest.raises(TaskNotFoundError):
        await follow(caller, id)
    with pytest.raises(TaskNotFoundError):
        await caller.send(SHORT, task_id=id)
    with pytest.raises(TaskNotFoundError):
        await caller.blocking.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=id, url="https://example.com/")
        )
    wire = caller.wire
    wire.call("GetTask", {"id": id}).refused("TASK_NOT_FOUND")
    wire.call("CancelTask", {"id": id}).refused("TASK_NOT_FOUND")
    wire.call("SendMessage", {"message": message(SHORT, taskId=id)}).refused("TASK_NOT_FOUND")
    wire.events("SubscribeToTask", {"id": id}).refused("TASK_NOT_FOUND")
    wire.events("SendStreamingMessage", {"message": message(SHORT, taskId=id)}).refused("TASK_NOT_FOUND")
    wire.call("ListTaskPushNotificationConfigs", {"taskId": id}).refused("TASK_NOT_FOUND")


async def test_foreign_tasks_are_unknown(caller, stranger, push):
    task = await caller.start(ENDLESS)
    config = caller.wire.call("CreateTaskPushNotificationConfig", {"taskId": task.id, "url": push.url("/mine")})
    wire = stranger.wire
    foreign, unknown = {"id": task.id}, {"id": str(uuid.uuid4())}
    for method in ("GetTask", "CancelTask"):
        answers = [wire.call(method, params) for params in (foreign, unknown)]
        for each in answers:
            each.refused("TASK_NOT_FOUND")
        told = [each.http.text.replace(task.id, "ID").replace(unknown["id"], "ID") for each in answers]
        assert told[0] == told[1], "a foreign task looks otherwise than an unknown one"
    wire.events("SubscribeToTask", foreign).refused("TASK_NOT_FOUND")
    wire.call("SendMessage", {"message": message(SHORT, taskId=task.id)}).refused("TASK_NOT_FOUND")
    of = {"taskId": task.id, "id": config.result["id"]}
    wire.call("GetTaskPushNotificationConfig", of).refused("TASK_NOT_FOUND")
    wire.call("ListTaskPushNotificationConfigs", of).refused("TASK_NOT_FOUND")
    wire.call("CreateTaskPushNotificationConfig", {"taskId": task.id, "url": push.url("/x")}).refused("TASK_NOT_FOUND")
    listed = await stranger.blocking.list_tasks(ListTasksRequest(context_id=task.context_id))
    assert not listed.tasks
    assert (await caller.cancel(task.id)).status.state == CANCELED


async def test_a_foreign_context_leaks_nothing(caller, stranger):
    mine = await caller.send(SHORT)
    theirs = await stranger.send("count to 2", context_id=mine.context_id)
    assert theirs.status.state == COMPLETED
    listed = await caller.blocking.list_tasks(ListTasksRequest(context_id=mine.context_id))
    assert [task.id for task in listed.tasks] == [mine.id]


async def test_message_to_a_terminal_task_on_the_wire(caller):
    task = await caller.send(SHORT)
    params = {"message": message(SHORT, taskId=task.id)}
    caller.wire.call("SendMessage", params).refused("UNSUPPORTED_OPERATION")
    caller.wire.events("SendStreamingMessage", params).refused("UNSUPPORTED_OPERATION")


async def test_message_to_a_terminal_task(caller):
    task = await caller.send(SHORT)
    with pytest.raises(UnsupportedOperationError):
        await caller.send(SHORT, task_id=task.id)


async def test_task_and_another_context(caller):
    task = await caller.send(ASK)
    caller.wire.call(
        "SendMessage", {"message": message("Rome", taskId=task.id, contextId=str(uuid.uuid4()))}
    ).refused("INVALID_PARAMS")
    await caller.cancel(task.id)


@pytest.mark.parametrize("version", [None, "", "0.3", "2.0", "nonsense"])
async def test_version(caller, version):
    """No version is 0.3. (A host with 0.3 compatibility switched on answers otherwise.)"""
    headers = {"A2A-Version": version}
    calls = [
        ("SendMessage", {"message": message(SHORT)}),
        ("SendStreamingMessage", {"message": message(SHORT)}),
        ("GetTask", {"id": "x"}),
        ("ListTasks", {}),
        ("CancelTask", {"id": "x"}),
        ("SubscribeToTask", {"id": "x"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "x", "url": "https://example.com"}),
        ("GetTaskPushNotificationConfig", {"taskId": "x", "id": "y"}),
        ("ListTaskPushNotificationConfigs", {"taskId": "x"}),
        ("DeleteTaskPushNotificationConfig", {"taskId": "x", "id": "y"}),
        ("GetExtendedAgentCard", {}),
    ]
    for method, params in calls:
        caller.wire.call(method, params, headers).refused("VERSION_NOT_SUPPORTED")


async def test_versions_that_are_fine(caller):
    wire = caller.wire
    assert wire.call("ListTasks", {}, {"A2A-Version": "1.0"}).error is None
    wire.call("ListTasks", {}, {"A2A-Version": "1.9"}).refused("VERSION_NOT_SUPPORTED")
    request = wire.request("ListTasks", {}, {"A2A-Version": None})
    request["params"] = request.get("params", {}) | {"A2A-Version": "1.0"}
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await http.request(**request)
    assert wire.read(found).error is None, found.text


@pytest.mark.parametrize("key", [None, "no-such-key", "a b"])
async def test_no_key(caller, card, key):
    wire = Wire(caller.binding, caller.wire.url, key)
    for method, params in [("SendMessage", {"message": message(SHORT)}), ("GetTask", {"id": "x"}),
                           ("ListTasks", {}), ("SubscribeToTask", {"id": "x"}), ("GetExtendedAgentCard", {})]:
        answer = wire.call(method, params)
        assert answer.http.status_code == 401, answer.http.text
        assert answer.http.headers["www-authenticate"].lower().startswith("bearer")
    anonymous = Caller(card, caller.binding, key)
    with pytest.raises(A2AClientError, match="401"):
        await anonymous.send(SHORT)
    with pytest.raises(A2AClientError, match="401"):
        _ = [event async for event in anonymous.stream(SHORT)]
    await anonymous.http.aclose()


async def test_key_comes_before_version_and_params(caller):
    wire = Wire(caller.binding, caller.wire.url, None)
    assert wire.call("ListTasks", {"pageSize": -1}, {"A2A-Version": None}).http.status_code == 401


async def test_malformed(caller):
    wire = caller.wire
    for wrong in (
        {},
        {"message": {}},
        {"message": message(parts=[])},
        {"message": message(SHORT) | {"messageId": ""}},
        {"message": message(parts=[{}])},
        {"message": message(parts=[{"text": "a", "url": "https://example.com"}])},
        {"message": message(parts=[{"raw": "not base64!"}])},
        {"message": message(SHORT), "configuration": {"historyLength": -1}},
        {"message": "text"},
    ):
        answer = wire.call("SendMessage", wrong)
        answer.refused("INVALID_PARAMS")
    wire.call("SendMessage", {"message": message(parts=[{"raw": "AAAA", "mediaType": "application/x-unheard-of"}])}
              ).refused("CONTENT_TYPE_NOT_SUPPORTED")
    wire.call("ListTasks", {"status": "TASK_STATE_NONSENSE"}).refused("INVALID_PARAMS")
    # Unknown fields are ignored.
    assert wire.call("SendMessage", {"message": message(SHORT, novelty=1), "novelty": {}}).result


async def test_http_itself(caller):
    request = caller.wire.request("SendMessage", {"message": message(SHORT)})
    body = request.pop("content", None) or json.dumps(request.pop("json"))
    plain = {"Content-Type": "text/plain"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        wrong = await http.request(**request | {"headers": request["headers"] | plain, "content": body})
        if wrong.status_code != 415:
            caller.wire.read(wrong).refused("CONTENT_TYPE_NOT_SUPPORTED")
        broken = await http.request(
            **request | {"headers": request["headers"] | {"Content-Type": "application/json"}, "content": body[:-3]}
        )
        if caller.binding == "JSONRPC":
            assert broken.json()["error"]["code"] == -32700 and broken.json()["id"] is None
            rpc = {"jsonrpc": "2.0", "id": 1, "method": "NoSuchMethod", "params": {}}
            found = await http.post(request["url"], json=rpc, headers=request["headers"])
            assert found.json()["error"]["code"] == -32601 and found.json()["id"] == 1
            for wrong in ({"id": 1, "method": "GetTask"}, [], "text", 1):
                found = await http.post(request["url"], json=wrong, headers=request["headers"])
                assert found.json()["error"]["code"] == -32600
        else:
            assert broken.status_code == 400
            for media in ("application/json", "application/a2a+json", "application/a2a+json; charset=utf-8"):
                found = await http.request(
                    **request | {"headers": request["headers"] | {"Content-Type": media}, "content": body}
                )
                assert found.status_code == 200 and found.headers["content-type"].startswith("application/a2a+json")
        huge = {"message": message("x" * 40_000_000)}
        big = caller.wire.request("SendMessage", huge)
        assert (await http.request(**big)).status_code == 413


# --- tenants -----------------------------------------------------------------------------------------------------


async def test_tenant(card, caller):
    name = "helper"
    tenanted = Caller(card, caller.binding, tenant=name)
    try:
        task = await tenanted.send(SHORT)
        assert task.status.state == COMPLETED
        assert (await tenanted.get(task.id)).id == task.id
        listed = await tenanted.blocking.list_tasks(ListTasksRequest(context_id=task.context_id))
        assert [each.id for each in listed.tasks] == [task.id]
        events = [event async for event in tenanted.stream(SHORT)]
        assert kind(events[0]) == "task" and events[-1].status_update.status.state == COMPLETED
        slow = await tenanted.start(ENDLESS)
        assert (await tenanted.cancel(slow.id)).status.state == CANCELED
        with pytest.raises(TaskNotCancelableError):
            await tenanted.cancel(task.id)
        extended = await tenanted.blocking.get_extended_agent_card(GetExtendedAgentCardRequest())
        assert extended.name
    finally:
        await tenanted.http.aclose()


async def test_tenants_are_apart(card, caller):
    name, other = "helper", "other"
    here, there = Caller(card, caller.binding, tenant=name), Caller(card, caller.binding, tenant=other)
    nowhere = Caller(card, caller.binding, tenant="no-such-agent")
    try:
        task = await here.send(SHORT)
        with pytest.raises(TaskNotFoundError):
            await there.get(task.id)
        listed = await there.blocking.list_tasks(ListTasksRequest(context_id=task.context_id))
        assert not listed.tasks
        with pytest.raises(Exception) as refused:
            await nowhere.send(SHORT)
        assert "50" not in str(refused.value)[:12]
    finally:
        for each in (here, there, nowhere):
            await each.http.aclose()


# --- both bindings are one host ----------------------------------------------------------------------------------


async def test_bindings_share_tasks(card):
    rpc, rest = (Caller(card, binding) for binding in BINDINGS)
    try:
        task = await rpc.start(LONG)
        snapshot, events, text = await follow(rest, task.id)
        assert text.strip() == counted(60)
        assert await rpc.get(task.id) == await rest.get(task.id)
        question = await rest.send(ASK)
        done = await rpc.send(parts=[function_response(the_call(question))], task_id=question.id)
        assert done.status.state == COMPLETED
        raw = [each.wire.call("GetTask", {"id": done.id}).result for each in (rpc, rest)]
        assert raw[0] == raw[1]
    finally:
        await rpc.http.aclose()
        await rest.http.aclose()


async def test_many_tasks_at_once(caller):
    tasks = await asyncio.gather(*(caller.send("count to 10") for _ in range(50)))
    assert all(task.status.state == COMPLETED and answer(task).strip() == counted(10) for task in tasks)
    assert len({task.id for task in tasks}) == 50
