"""`interactions agent`: what a newcomer runs first, and what a script reads."""

import json
import os
import signal
import subprocess
import time

from serve import BINARY, environment

EVERYTHING = os.environ["INTERACTIONS_MCP_EVERYTHING"]
EVERYTHING_STDIO = os.environ["INTERACTIONS_MCP_EVERYTHING_STDIO"]


def agent(folder, *arguments: str, code: int = 0) -> subprocess.CompletedProcess:
    run = subprocess.run(
        [BINARY, "agent", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={**environment(), "XDG_DATA_HOME": str(folder), "HOME": str(folder)},
    )
    assert run.returncode == code, (run.stdout, run.stderr)
    return run


def events(run) -> list[dict]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_prompt_a_tool_and_the_stored_chain(tmp_path):
    run = agent(tmp_path, "What is 6 * 7?")
    shown = run.stdout + run.stderr
    assert "42" in run.stdout and "calculator" in shown
    assert "scripted" in shown and "not an LLM" in shown
    id = next(word.strip(".,;()") for word in shown.split() if word.startswith("v1_"))
    stored = subprocess.run(
        [BINARY, "get", id, "--json"],
        capture_output=True, text=True, timeout=60,
        env={**environment(), "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert stored.returncode in (0, 1), stored.stderr
    more = agent(tmp_path, "And again?", "--previous", id)
    assert "v1_" in more.stdout + more.stderr


def test_json_lines(tmp_path):
    lines = events(agent(tmp_path, "What is 6 * 7?", "--json"))
    assert len(lines) > 3 and "42" in json.dumps(lines[-1])


def test_tools_of_an_mcp_server_over_http(tmp_path):
    run = agent(tmp_path, "Please echo this", "--mcp", EVERYTHING, "--json")
    assert "Echo:" in run.stdout


def test_tools_of_an_mcp_server_as_a_child_process(tmp_path):
    run = agent(tmp_path, "Please echo this", "--mcp", EVERYTHING_STDIO, "--json")
    assert "Echo:" in run.stdout


def test_an_mcp_server_that_is_down(tmp_path):
    run = agent(tmp_path, "hi", "--mcp", "http://127.0.0.1:9/mcp", code=1)
    assert "127.0.0.1:9" in run.stderr and "panicked" not in run.stderr


def test_against_a_server_and_its_keys(serve, tmp_path):
    server = serve('[auth]\nkeys = [{ key = "alpha", tenant = "a" }]\n')
    there = ["--url", server.url, "--model", "scripted", "--api-key"]
    assert "42" in agent(tmp_path, "What is 6 * 7?", *there, "alpha").stdout
    refused = agent(tmp_path, "hi", *there, "wrong", code=1)
    assert "401" in refused.stderr and "wrong" not in refused.stderr


def test_ctrl_c_cancels_the_run(serve, tmp_path):
    server = serve()
    process = subprocess.Popen(
        [BINARY, "agent", "wait 60", "--url", server.url, "--model", "scripted"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**environment(), "HOME": str(tmp_path)},
    )
    listed = []
    deadline = time.monotonic() + 20
    while not listed and time.monotonic() < deadline:
        listed = server.raw("GET", "/v1/interactions").json().get("interaction_metadatas", [])
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "panicked" not in errors
    (interaction,) = listed
    shown = server.raw("GET", f"/v1/interactions/{interaction['id']}").json()
    assert shown["status"] == "cancelled"
