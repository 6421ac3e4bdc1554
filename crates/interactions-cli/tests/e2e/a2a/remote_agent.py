"""A remote agent made with Google's a2a-sdk. Prints `listening on http://127.0.0.1:PORT`.

The skill is named by the message's metadata (`skillId`):

  echo   three artifact chunks, then COMPLETED
  ask    INPUT_REQUIRED with a question; the reply completes the task
  adk    the same as ADK asks: a data part, which wants a function_response
  login  AUTH_REQUIRED until somebody replies
  slow   WORKING until cancelled; GET /cancelled lists the tasks whose cancel arrived
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import socket

import uvicorn
from a2a.helpers.proto_helpers import new_data_part, new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.signing import create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

KID = "remote-agent"


class Executor(AgentExecutor):
    def __init__(self) -> None:
        self.cancelled: list[str] = []

    async def execute(self, context, queue) -> None:
        task, resumed = context.current_task, context.current_task is not None
        if task is None:
            task = new_task_from_user_message(context.message)
            task.id, task.context_id = context.task_id, context.context_id
            task.metadata["skill"] = MessageToDict(context.message.metadata)["skillId"]
            await queue.enqueue_event(task)
        updater = TaskUpdater(queue, task.id, task.context_id)
        await getattr(self, task.metadata["skill"])(context, updater, resumed)

    async def say(self, updater, chunks) -> None:
        await updater.start_work()
        for at, chunk in enumerate(chunks):
            await updater.add_artifact([new_text_part(chunk)], artifact_id="answer", append=at > 0,
                                       last_chunk=at == len(chunks) - 1)
            await asyncio.sleep(0.02)
        await updater.complete()

    async def echo(self, context, updater, resumed) -> None:
        words = context.get_user_input()
        await self.say(updater, [words[:2], words[2:4], words[4:]])

    async def ask(self, context, updater, resumed) -> None:
        if resumed:
            return await self.say(updater, ["You answered: ", context.get_user_input()])
        await updater.start_work()
        await updater.requires_input(updater.new_agent_message([new_text_part("Which city?")]))

    async def adk(self, context, updater, resumed) -> None:
        call = {"name": "ask_human", "id": f"call-{updater.task_id}", "args": {"question": "Which city?"}}
        if resumed:
            part = context.message.parts[0]
            data, kind = MessageToDict(part.data), MessageToDict(part.metadata)["adk_type"]
            assert kind == "function_response" and data["id"] == call["id"], data
            return await self.say(updater, ["You answered: ", data["response"]["result"]])
        part = new_data_part(call, media_type="application/json")
        part.metadata.update({"adk_type": "function_call", "adk_is_long_running": True})
        await updater.start_work()
        await updater.requires_input(updater.new_agent_message([new_text_part("Which city?"), part]))

    async def login(self, context, updater, resumed) -> None:
        if resumed:
            return await self.say(updater, ["Logged ", "in."])
        await updater.start_work()
        await updater.requires_auth(updater.new_agent_message([new_text_part("Give me a token.")]))

    async def slow(self, context, updater, resumed) -> None:
        await updater.start_work()
        await asyncio.sleep(120)
        await updater.complete()

    async def cancel(self, context, queue) -> None:
        self.cancelled.append(context.task_id)
        await TaskUpdater(queue, context.task_id, context.context_id).cancel()


def card_of(base: str, binding: str, streaming: bool) -> AgentCard:
    interfaces = [
        AgentInterface(url=f"{base}/rpc", protocol_binding="JSONRPC", protocol_version="1.0"),
        AgentInterface(url=base, protocol_binding="HTTP+JSON", protocol_version="1.0"),
    ]
    skills = ["echo", "ask", "adk", "login", "slow"]
    return AgentCard(
        name="Remote agent",
        description="An a2a-sdk server, “quoted” and ünïcode.",
        version="1.0.0",
        supported_interfaces=sorted(interfaces, key=lambda one: one.protocol_binding != binding),
        capabilities=AgentCapabilities(streaming=streaming),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id=id, name=id, description=f"Does {id}.", tags=["test"]) for id in skills],
    )


def main() -> None:
    parse = argparse.ArgumentParser()
    parse.add_argument("--binding", default="JSONRPC")
    parse.add_argument("--no-streaming", action="store_true")
    chosen = parse.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"

    executor, private = Executor(), ec.generate_private_key(ec.SECP256R1())
    card = card_of(base, chosen.binding, not chosen.no_streaming)
    card = create_agent_card_signer(private, {"alg": "ES256", "kid": KID, "typ": "JOSE"})(card)
    handler = DefaultRequestHandler(agent_executor=executor, task_store=InMemoryTaskStore(), agent_card=card)
    numbers = private.public_key().public_numbers()
    encode = lambda number: base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
    jwk = {"kty": "EC", "crv": "P-256", "x": encode(numbers.x), "y": encode(numbers.y), "kid": KID}

    async def cancelled(_request):
        return JSONResponse(executor.cancelled)

    async def jwks(_request):
        return JSONResponse({"keys": [jwk]})

    routes = [
        Route("/cancelled", cancelled),
        Route("/jwks.json", jwks),
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/rpc"),
        *create_rest_routes(handler),
    ]
    print(f"listening on {base}", flush=True)
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="warning"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
