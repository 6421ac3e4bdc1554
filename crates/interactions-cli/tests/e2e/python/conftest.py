"""Servers for tests: one shared, and as many of their own as they ask for."""

from __future__ import annotations

import pytest
from serve import Serve

RULES = """
[[rules]]
prompt = "both cities"
steps = [
    { thought = "Two calls at once." },
    { call = "get_weather", arguments = { city = "Paris" } },
    { call = "get_weather", arguments = { city = "Rome" } },
]

[[rules]]
prompt = "weather"
steps = [
    { thought = "The weather of Paris is asked for." },
    { call = "get_weather", arguments = { city = "Paris" } },
]

[[rules]]
after = "get_weather"
steps = [{ text = "It is {result}" }]

[[rules]]
prompt = "remember"
steps = [{ text = "Noted." }]
"""


@pytest.fixture
def serve(tmp_path):
    """Starts servers: `serve(config, rules=…, folder=…)`."""
    started: list[Serve] = []

    def start(config: str = "", rules: str | None = None, folder=None) -> Serve:
        folder = folder or tmp_path / f"server-{len(started)}"
        if rules is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rules.toml").write_text(rules)
            config += '\n[[models]]\nmatch = "scripted"\nadapter = "scripted"\nscript = "rules.toml"\n'
        server = Serve(folder, config)
        started.append(server)
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "rules.toml").write_text(RULES)
    models = '[[models]]\nmatch = "scripted"\nadapter = "scripted"\nscript = "rules.toml"\n'
    server = Serve(folder, models)
    yield server
    code = server.stop()
    server.end()
    assert code == 0, server.log.read_text()


@pytest.fixture(scope="session")
def client(server):
    return server.client()
