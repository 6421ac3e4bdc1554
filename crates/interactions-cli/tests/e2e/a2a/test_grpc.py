"""The official Python SDK over gRPC, which the host serves on the same address as the other bindings."""

from __future__ import annotations

import uuid

import grpc
import httpx
import pytest
from a2a.client import A2ACardResolver, AuthInterceptor, ClientConfig, ClientFactory
from a2a.client.auth import CredentialService
from a2a.client.errors import A2AClientError
from a2a.helpers.proto_helpers import new_data_part, new_text_part
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from conftest import KEY, KEY_OTHER, Host, free_port


class Keys(CredentialService):
    def __init__(self, key: str | None) -> None:
        self.key = key

    async def get_credentials(self, *_):
        return self.key


@pytest.fixture(scope="module")
def grpc_host(tmp_path_factory, push, signing):
    places = {"key": KEY, "key_other": KEY_OTHER, "push": push.address, "push_js": f"127.0.0.1:{free_port()}",
              "card_key": str(signing[0])}
    host = Host(tmp_path_factory.mktemp("grpc"), "--agent", "helper", "--grpc", **places)
    host.start()
    yield host
    host.end()


async def client(host, key: str | None = KEY, **options):
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        card = await A2ACardResolver(http, host.base_url).get_agent_card()
    assert [each.protocol_binding for each in card.supported_interfaces] == ["JSONRPC", "HTTP+JSON", "GRPC"]
    config = ClientConfig(
        supported_protocol_bindings=["GRPC"], grpc_channel_factory=grpc.aio.insecure_channel, **options
    )
    return ClientFactory(config).create(card, [AuthInterceptor(Keys(key))])


def asking(text: str = "", parts=None, immediately: bool = False, **fields) -> SendMessageRequest:
    message = Message(
        message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=parts or [new_text_part(text)], **fields
    )
    configuration = SendMessageConfiguration(return_immediately=immediately)
    return SendMessageRequest(message=message, configuration=configuration)


async def send(client, *args, **fields):
    (event,) = [event async for event in client.send_message(asking(*args, **fields))]
    return event.task


async def test_send_get_list_and_stream(grpc_host):
    async with await client(grpc_host, streaming=False) as one:
        task = await send(one, "count to 3")
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert task.artifacts[0].parts[0].text == "1 2 3"
        assert await one.get_task(GetTaskRequest(id=task.id)) == task
        listed = await one.list_tasks(ListTasksRequest(context_id=task.context_id))
        assert [each.id for each in listed.tasks] == [task.id]
    async with await client(grpc_host) as streaming:
        events = [event async for event in streaming.send_message(asking("count to 6"))]
        assert events[0].HasField("task")
        assert sum(event.HasField("artifact_update") for event in events) > 1
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_a_question_and_its_answer(grpc_host):
    async with await client(grpc_host, streaming=False) as one:
        asked = await send(one, "ask_human")
        assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        call = next(dict(part.data.struct_value) for part in asked.status.message.parts if part.HasField("data"))
        answer = new_data_part({"id": call["id"], "response": {"answer": "Oslo"}})
        done = await send(one, parts=[answer], task_id=asked.id)
        assert done.id == asked.id and done.status.state == TaskState.TASK_STATE_COMPLETED


async def test_cancel_and_subscribe(grpc_host):
    async with await client(grpc_host, streaming=False) as one, await client(grpc_host) as listener:
        task = await send(one, "wait 60", immediately=True)
        stream = listener.subscribe(SubscribeToTaskRequest(id=task.id))
        assert (await anext(stream)).HasField("task")
        stopped = await one.cancel_task(CancelTaskRequest(id=task.id))
        assert stopped.status.state == TaskState.TASK_STATE_CANCELED
        rest = [event async for event in stream]
        assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(UnsupportedOperationError):
            _ = [event async for event in listener.subscribe(SubscribeToTaskRequest(id=task.id))]
        done = await send(one, "count to 2")
        with pytest.raises(TaskNotCancelableError):
            await one.cancel_task(CancelTaskRequest(id=done.id))


async def test_callers_are_known_and_apart(grpc_host):
    async with await client(grpc_host, streaming=False) as one:
        own = await send(one, "count to 2")
    async with await client(grpc_host, KEY_OTHER) as other:
        with pytest.raises(TaskNotFoundError):
            await other.get_task(GetTaskRequest(id=own.id))
    for key in ("wrong", None):
        async with await client(grpc_host, key) as nobody:
            with pytest.raises(A2AClientError, match="UNAUTHENTICATED"):
                await nobody.get_task(GetTaskRequest(id=own.id))
