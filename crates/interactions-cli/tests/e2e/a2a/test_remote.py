"""Our tool calls agents that are served by the official SDKs. A2A_PAIR_BIN names the example that has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERVERS = {
    "python": lambda: [sys.executable, str(HERE / "remote_agent.py")],
    "js": lambda: [os.environ["E2E_NODE"], str(HERE / "remote_agent.mjs")],
}


def read(url: str):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(url, timeout=10))


class Remote:
    def __init__(self, sdk: str, *arguments: str) -> None:
        self.sdk = sdk
        self.process = subprocess.Popen([*SERVERS[sdk](), *arguments], stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().strip().removeprefix("listening on ")
        assert self.base.startswith("http://"), self.base
        for _ in range(100):
            try:
                self.jwks = read(f"{self.base}/jwks.json")
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the agent does not answer")

    def ask(self, skill: str, text: str, *arguments: str) -> str:
        done = subprocess.run(
            [os.environ["A2A_PAIR_BIN"], "--agent", self.base, "--skill", skill, "--ask", text,
             "--jwks", json.dumps(self.jwks), *arguments],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdout.close()


WAYS = [
    (sdk, binding, stream)
    for sdk in SERVERS
    for binding in ("JSONRPC", "HTTP+JSON")
    for stream in (True, False)
]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0]}-{way[1]}-{'stream' if way[2] else 'poll'}")
def remote(request):
    sdk, binding, stream = request.param
    remote = Remote(sdk, "--binding", binding, *([] if stream else ["--no-streaming"]))
    yield remote
    remote.end()


def test_an_answer(remote):
    told = remote.ask("echo", "hello, you there")
    assert "agent: hello, you there\n" in told, told
    assert "caller: Take an umbrella." in told


def test_a_question(remote):
    told = remote.ask("ask", "The weather?", "--answer", "Rome")
    assert "asks: Which city?" in told, told
    assert "agent: You answered: Rome\n" in told, told


def test_a_question_as_adk_asks(remote):
    if remote.sdk != "python":
        pytest.skip("the Python agent has it")
    told = remote.ask("adk", "The weather?", "--answer", "Rome")
    assert "agent: You answered: Rome\n" in told, told


def test_a_login(remote):
    if remote.sdk != "python":
        pytest.skip("the Python agent has it")
    told = remote.ask("login", "My mail?", "--answer", "token")
    assert "wants somebody to log in: Give me a token." in told, told
    assert "agent: Logged in.\n" in told, told


def test_a_task_that_takes_too_long_is_cancelled(remote):
    before = len(read(f"{remote.base}/cancelled"))
    told = remote.ask("slow", "Go on for ever.", "--time-limit", "2")
    assert "was not done after 2 seconds" in told, told
    assert len(read(f"{remote.base}/cancelled")) == before + 1


def test_a_card_by_somebody_else(remote):
    stranger = {"keys": [remote.jwks["keys"][0] | {"kid": "another"}]}
    done = subprocess.run(
        [os.environ["A2A_PAIR_BIN"], "--agent", remote.base, "--ask", "x", "--jwks", json.dumps(stranger)],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode != 0 and "not trusted" in done.stderr, done.stderr
