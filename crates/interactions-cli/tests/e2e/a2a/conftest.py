"""The host under test, and what the tests need around it.

`interactions a2a serve` is started once, on a database that outlives a restart; kill -9 is a real one.
INTERACTIONS_BIN names the binary.
"""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

BINARY = os.environ["INTERACTIONS_BIN"]
KEY = "test-key-a"
KEY_OTHER = "test-key-b"

RULES = """
[[rules]]
prompt = "ask_human"
steps = [{ call = "ask_human", arguments = { question = "Which city?" } }]

[[rules]]
after = "ask_human"
steps = [{ text = "The human said {result}" }]

[[rules]]
prompt = "echo"
steps = [{ text = "{prompt}", chunk = 8, delay_ms = 10 }]
"""

# `count to N` needs no rule: it is built into the scripted model.
CONFIG = """
[auth]
keys = [{{ key = "{key}", tenant = "a" }}, {{ key = "{key_other}", tenant = "b" }}]
[[models]]
match = "scripted"
adapter = "scripted"
script = "rules.toml"
[[agents]]
id = "helper"
model = "scripted"
tools = [{{ type = "function", name = "ask_human", description = "Asks the human.", parameters = {{ type = "object", properties = {{ question = {{ type = "string" }} }}, required = ["question"] }} }}]
[[agents]]
id = "other"
model = "scripted"
[egress]
allow = ["{push}", "{push_js}"]
[background]
lease = "1s"
[a2a]
base_url = "{public}"
"""

FOREIGN = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Host:
    """The host as a process that the tests start, kill and restart by its own id, always at the same address."""

    def __init__(self, folder: Path, *arguments: str, **places: str) -> None:
        self.folder, self.process = folder, None
        # A fixed port, so that a restart keeps the address that the card names.
        listen = free_port()
        self.base_url = f"http://127.0.0.1:{listen}"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self.log = folder / "host.log"
        self.places = places | {
            "listen": f"127.0.0.1:{listen}",
            "public": self.base_url,
            "config": str(folder / "interactions.toml"),
            "data": str(folder / "data"),
        }
        self.command = [
            BINARY, "a2a", "serve", "--config", self.places["config"], "--data-dir", self.places["data"],
            "--listen", self.places["listen"], "--card-key", self.places["card_key"], *arguments,
        ]
        (folder / "interactions.toml").write_text(CONFIG.format(**self.places))
        (folder / "rules.toml").write_text(RULES)

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        first = self.process.stdout.readline().strip()
        assert first.startswith("listening on http://"), (first, self.log.read_text())

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def restart(self) -> None:
        self.kill()
        self.start()

    def end(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(timeout=30)
            self.process.stdout.close()


class Push:
    """A real listener for push notifications."""

    def __init__(self, port: int) -> None:
        notes = self.notes = []
        # How often an artifact update is refused, by path.
        self.refuse = refuse = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 200
                if b"artifactUpdate" in body and refuse.get(self.path, 0):
                    refuse[self.path] -= 1
                    status = 503
                headers = {name.lower(): value for name, value in self.headers.items()}
                notes.append((self.path, headers, json.loads(body), status))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def received(self, path: str):
        return [(headers, body) for at, headers, body, status in list(self.notes) if at == path and status == 200]

    def wait(self, path: str, fits, limit: float = 20):
        """Waits until the notes at `path` fit."""
        deadline = time.monotonic() + limit
        while not fits(self.received(path)):
            assert time.monotonic() < deadline, f"only {self.received(path)} at {path}"
            time.sleep(0.05)
        return self.received(path)


@pytest.fixture(scope="session")
def push():
    listener = Push(0)
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


@pytest.fixture(scope="session")
def signing(tmp_path_factory):
    """The file with the card's private key, and the public key."""
    private = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path_factory.mktemp("keys") / "card.pem"
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(pem)
    file.chmod(0o600)
    return file, private.public_key()


@pytest.fixture(scope="session")
def host(tmp_path_factory, push, signing):
    places = {"key": KEY, "key_other": KEY_OTHER, "push": push.address, "push_js": f"127.0.0.1:{free_port()}",
              "card_key": str(signing[0])}
    host = Host(tmp_path_factory.mktemp("host"), "--agent", "helper", **places)
    host.start()
    yield host
    host.end()


@pytest.fixture(scope="session")
def base(host) -> str:
    return host.base_url


@pytest.fixture
def restart(host):
    """Kills the host with signal 9 and starts it again on the same data and address."""
    return host.restart


@pytest.fixture(scope="session")
def card_key(signing):
    """The public key that the card's signature must verify with."""
    return signing[1]
