"""Clients that other people wrote, unmodified: a conversation with a tool, and a turn that remembers.

Each is a program of its own beside this file, run with the interpreter that has its packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e" / "python"))

from serve import Serve, environment  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    rules = HERE / "rules.toml"
    server = Serve(folder, f'[[models]]\nmatch = "scripted"\nadapter = "scripted"\nscript = "{rules}"\n')
    yield server
    server.end()


PROGRAMS = {
    "google-adk": [os.environ.get("CLIENTS_ADK"), str(HERE / "adk_interactions.py")],
    "google-adk A2A": [os.environ.get("CLIENTS_ADK"), str(HERE / "adk_a2a.py")],
    "LiteLLM": [os.environ.get("CLIENTS_LITELLM"), str(HERE / "litellm_interactions.py")],
    "Vercel AI SDK": [os.environ.get("CLIENTS_NODE"), os.environ.get("CLIENTS_VERCEL")],
    "genai-rs": [os.environ.get("CLIENTS_GENAI_RS")],
}


@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if all(program)])
def test_a_client_holds_a_conversation_with_a_tool(name, server, tmp_path):
    variables = {
        "GOOGLE_GEMINI_BASE_URL": server.url,
        "GEMINI_API_BASE": server.url,
        "GOOGLE_API_KEY": "any",
        # It would look for its price list on the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    done = subprocess.run(
        [*PROGRAMS[name], str(tmp_path)], env=environment() | variables, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: ok" in done.stdout
