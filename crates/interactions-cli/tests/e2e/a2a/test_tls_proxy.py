"""The host behind a proxy that ends TLS, as in production: cards name the proxy, and both bindings work through it."""

from __future__ import annotations

import asyncio
import ssl
import uuid

import httpx
import pytest
import pytest_asyncio
import trustme
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import new_text_part
from a2a.types import Message, Role, SendMessageRequest, TaskState
from conftest import KEY, KEY_OTHER, Host, free_port


@pytest_asyncio.fixture
async def proxied(tmp_path, push, signing):
    """The address of the proxy, and what trusts its certificate."""
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    port = free_port()
    public = f"https://localhost:{port}"
    host = Host(tmp_path, "--agent", "helper", key=KEY, key_other=KEY_OTHER, push=push.address,
                push_js=f"127.0.0.1:{free_port()}", card_key=str(signing[0]))
    config = tmp_path / "interactions.toml"
    config.write_text(config.read_text().replace(f'base_url = "{host.base_url}"', f'base_url = "{public}"'))
    await asyncio.to_thread(host.start)
    inner = host.places["listen"].split(":")

    async def pipe(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader, writer):
        behind, before = await asyncio.open_connection(*inner)
        await asyncio.gather(pipe(reader, before), pipe(behind, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", port, ssl=served)
    yield public, trusting
    proxy.close()
    host.end()


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_through_a_proxy_that_ends_tls(proxied, binding):
    public, trusting = proxied
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(verify=trusting, headers=headers, timeout=30, trust_env=False) as http:
        card = await A2ACardResolver(http, public).get_agent_card()
        assert {interface.url for interface in card.supported_interfaces} == {public}
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding])
        client = ClientFactory(config).create(card)
        message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[new_text_part("count to 3")])
        events = [event async for event in client.send_message(SendMessageRequest(message=message))]
    assert events[0].HasField("task")
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    assert sum(event.HasField("artifact_update") for event in events) > 1, "streamed through the proxy"
