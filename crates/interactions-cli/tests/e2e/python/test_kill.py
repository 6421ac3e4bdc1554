"""Fifty times the process dies in the middle of its work, and nothing that was acknowledged is lost."""

from __future__ import annotations

import contextlib
import http.server
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

KILLS = 50
TOOLS = [
    {
        "name": "book",
        "description": "Books a seat.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    {
        "name": "look",
        "description": "Looks at a seat.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        "annotations": {"readOnlyHint": True},
    },
]


class Seats(http.server.BaseHTTPRequestHandler):
    """A small MCP server that remembers what it was asked to do, and takes its time."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "id" not in message:
            return self.reply(202, b"")
        match message["method"]:
            case "initialize":
                result = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "seats", "version": "1"},
                }
            case "tools/list":
                result = {"tools": TOOLS}
            case "tools/call":
                call = message["params"]
                with self.server.lock:
                    self.server.calls.append((call["name"], call["arguments"]["text"]))
                time.sleep(0.1)
                result = {"content": [{"type": "text", "text": "done"}]}
            case other:
                raise AssertionError(other)
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return self.reply(200, json.dumps(body).encode())

    def do_GET(self):
        self.reply(405, b"")

    def do_DELETE(self):
        self.reply(200, b"")

    def handle(self):
        # So may one who has just connected.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def reply(self, status: int, body: bytes):
        # Whoever asked may have been killed meanwhile.
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def seats():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Seats)
    server.calls, server.lock = [], threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Witness:
    """What the callers of a dying server have been told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        # The events of each acknowledged interaction, by id.
        self.told: dict[str, dict[str, str]] = {}

    def acknowledged(self, id: str) -> None:
        with self.lock:
            self.told.setdefault(id, {})

    def event(self, id: str, event_id: str, data: str) -> None:
        with self.lock:
            known = self.told.setdefault(id, {})
            assert known.get(event_id, data) == data, f"{event_id} of {id} has become another event"
            known[event_id] = data

    def some(self, chance: random.Random) -> str | None:
        with self.lock:
            return chance.choice(list(self.told)) if self.told else None


def events(response: httpx.Response):
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:]), line[6:]


def read(http: httpx.Client, witness: Witness, id: str | None, method: str, path: str, **request) -> None:
    with http.stream(method, path, **request) as response:
        if response.status_code != 200:
            return
        for event, data in events(response):
            id = id or event["interaction"]["id"]
            witness.event(id, event["event_id"], data)


def work(url: str, witness: Witness, chance: random.Random, tools: list, number: int) -> None:
    """One caller, until the server dies under it."""
    with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=url, timeout=10, trust_env=False) as http:
        for turn in range(100):
            token = f"token-{number}-{turn}"
            prompt = chance.choice(["count to 6", "count to 12", "book", "look", "hello"])
            body = {"model": "scripted", "input": f"{prompt} {token}"}
            if prompt in ("book", "look"):
                body["tools"] = tools
            kind = chance.choice(["stream", "background", "both", "resume"])
            old = witness.some(chance)
            if kind == "background":
                reply = http.post("/v1/interactions", json=body | {"background": True})
                if reply.status_code == 200:
                    witness.acknowledged(reply.json()["id"])
            elif kind == "resume" and old:
                read(http, witness, old, "GET", f"/v1/interactions/{old}?stream=true")
            else:
                body |= {"stream": True, "background": kind == "both"}
                read(http, witness, None, "POST", "/v1/interactions", json=body)


def test_fifty_kills(serve, seats, tmp_path):
    host = f"127.0.0.1:{seats.server_address[1]}"
    config = f'[background]\nlease = "400ms"\n[egress]\nallow = ["{host}"]\n'
    tools = [{"type": "mcp_server", "name": "seats", "url": f"http://{host}/mcp"}]
    folder, witness, chance = tmp_path / "kills", Witness(), random.Random(20260601)
    for number in range(KILLS):
        server = serve(config, folder=folder)
        with ThreadPoolExecutor(3) as callers:
            at_work = [
                callers.submit(work, server.url, witness, random.Random(chance.random()), tools, f"{number}-{who}")
                for who in range(3)
            ]
            time.sleep(chance.uniform(0.05, 0.5))
            server.kill()
            for caller in at_work:
                caller.result(timeout=30)
        server.end()

    server = serve(config, folder=folder)
    assert len(witness.told) > KILLS, "too little was under way to prove anything"
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as http:
        for id, told in witness.told.items():
            deadline = time.monotonic() + 60
            while (found := http.get(f"/v1/interactions/{id}")).json().get("status") == "in_progress":
                assert time.monotonic() < deadline, f"{id} does not end"
                time.sleep(0.05)
            assert found.status_code == 200, f"{id} was acknowledged and is lost"
            interaction = found.json()
            errors = interaction.get("errors")
            assert interaction["status"] == "completed", errors
            with http.stream("GET", f"/v1/interactions/{id}?stream=true") as response:
                log = list(events(response))
            ids = [event["event_id"] for event, _ in log]
            assert len(set(ids)) == len(ids)
            assert [event["event_type"] for event, _ in log].count("interaction.completed") == 1
            assert log[-1][0]["event_type"] == "interaction.completed"
            logged = {event["event_id"]: data for event, data in log}
            for event_id, data in told.items():
                assert logged.get(event_id) == data, f"{event_id} of {id} was seen and is another now"
            for event_id in list(told)[:: max(1, len(told) // 3)]:
                path = f"/v1/interactions/{id}?stream=true&last_event_id={event_id}"
                with http.stream("GET", path) as response:
                    tail = [data for _, data in events(response)]
                assert tail == [data for _, data in log[ids.index(event_id) + 1 :]]
    booked = [text for name, text in seats.calls if name == "book"]
    assert len(set(booked)) == len(booked), "a tool that may do harm twice was run twice"
    assert booked and any(name == "look" for name, _ in seats.calls)
