"""The binary under test, as a process that a test starts and ends by its own id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx2 as httpx
from google import genai

BINARY = os.environ["INTERACTIONS_BIN"]

# What the servers must not find: a model of the machine's owner.
FOREIGN = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


class Serve:
    """`interactions serve` on a port that the system picks."""

    def __init__(self, folder: Path, config: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        file = folder / "interactions.toml"
        file.write_text(config)
        self.log = folder / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    BINARY, "serve",
                    "--config", str(file),
                    "--listen", "127.0.0.1:0",
                    "--data-dir", str(folder / "data"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
            )
        first = self.process.stdout.readline().strip()
        assert first.startswith("listening on http://"), (first, self.log.read_text())
        self.url = first.removeprefix("listening on ")
        # Google's client closes its connections when nobody holds it any more.
        self.clients: list[genai.Client] = []

    def client(self, key: str = "any", **options: object) -> genai.Client:
        """Google's client, which knows nothing of us but the address."""
        client = genai.Client(api_key=key, http_options={"base_url": self.url, **options})
        self.clients.append(client)
        return client

    def raw(self, method: str, path: str, **options: object) -> httpx.Response:
        """A request that no SDK would send."""
        return httpx.request(method, self.url + path, timeout=30, trust_env=False, **options)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)

    def end(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()


def settled(client: genai.Client, id: str, limit: float = 30.0):
    """Polls as the API's documentation does, until the interaction has ended."""
    deadline = time.monotonic() + limit
    while True:
        interaction = client.interactions.get(id)
        if interaction.status not in ("queued", "in_progress"):
            return interaction
        assert time.monotonic() < deadline, f"{id} is still {interaction.status}"
        time.sleep(0.05)


def texts(steps, kind: str = "model_output") -> list[str]:
    """The texts of all steps of one kind, one entry per step."""
    return [
        "".join(part.text for part in step.content if part.type == "text")
        for step in steps
        if step.type == kind
    ]


def said(events) -> str:
    """The text that a stream's deltas spell."""
    return "".join(
        event.delta.text
        for event in events
        if event.event_type == "step.delta" and event.delta.type == "text"
    )
