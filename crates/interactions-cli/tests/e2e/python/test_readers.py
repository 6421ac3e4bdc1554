"""Readers that do not read."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

MEBI = 1024 * 1024
TEXT = 6 * MEBI
READERS = 120

RULES = f"""
[[rules]]
prompt = "long"
steps = [{{ text = "{"x" * TEXT}", chunk = 4096 }}]
"""


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def attach(server, path: str) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    return reader


def test_readers_that_do_not_read_cost_no_memory_and_keep_nobody_waiting(serve):
    server = serve(rules=RULES)
    client = server.client()
    begun = client.interactions.create(model="scripted", input="long", background=True)
    path = f"/v1/interactions/{begun.id}?stream=true"
    before = resident(server.process.pid)
    live = [attach(server, path) for _ in range(READERS)]
    deadline = time.monotonic() + 120
    while client.interactions.get(begun.id).status == "in_progress":
        assert time.monotonic() < deadline, "the run waits for its readers"
        time.sleep(0.2)
    late = [attach(server, path) for _ in range(READERS)]
    time.sleep(2)
    grown = resident(server.process.pid) - before
    # Everything kept for everyone would be 1.4 GiB.
    assert grown < 200 * MEBI, f"{grown / MEBI:.0f} MiB more"

    # One of them reads after all, and has missed nothing.
    reader = live[0]
    reader.settimeout(60)
    received = bytearray()
    while b"[DONE]" not in received[-64:]:
        more = reader.recv(MEBI)
        assert more, "the stream broke off"
        received += more
    read = 0
    for line in received.split(b"\n"):
        if line.startswith(b'data: {') and b'"step.delta"' in line:
            read += len(json.loads(line[6:])["delta"].get("text", ""))
    assert read == TEXT
    for reader in live + late:
        reader.close()
