"""`interactions agent`: what a newcomer runs first, and what a script reads."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
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


def test_several_mcp_servers_keep_their_tools_apart(tmp_path):
    two = ["--mcp", EVERYTHING, "--mcp", EVERYTHING_STDIO]
    clash = agent(tmp_path, "hi", *two, code=1)
    assert "echo" in clash.stderr and "NAME=" in clash.stderr, clash.stderr
    named = ["--mcp", f"near={EVERYTHING_STDIO}", "--mcp", f"far={EVERYTHING}"]
    lines = events(agent(tmp_path, "Please far_echo this", *named, "--json"))
    called = [line["name"] for line in lines if line["event"] == "tool_finished"]
    assert called == ["far_echo"] and "Echo:" in json.dumps(lines[-1]), lines


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


def run_agent(data, *arguments):
    return subprocess.run(
        [BINARY, "agent", *arguments, "--model", "scripted", "--data-dir", str(data)],
        capture_output=True, text=True, timeout=60, env=environment(), stdin=subprocess.DEVNULL,
    )


def test_a_session_pauses_for_approval_and_goes_on_later(tmp_path):
    first = run_agent(tmp_path, "what is 2+3*4", "--session", "calc")
    assert first.returncode == 0 and "14" in first.stdout, first
    paused = run_agent(tmp_path, "and 7*6", "--session", "calc", "--ask", "always")
    assert paused.returncode == 3, paused
    assert "7*6" in paused.stdout and "--session calc --resume" in paused.stderr, paused
    other = run_agent(tmp_path, "something else", "--session", "calc")
    assert other.returncode == 1 and "not over" in other.stderr, other
    done = run_agent(tmp_path, "--session", "calc", "--resume", "--yes")
    assert done.returncode == 0 and "42" in done.stdout, done
    denied = run_agent(tmp_path, "and 8*8", "--session", "calc", "--ask", "always", "--no")
    assert denied.returncode == 0 and "answered: 64" not in denied.stdout, denied
    again = run_agent(tmp_path, "and 9*9", "--session", "calc", "--ask", "always")
    assert again.returncode == 3, again
    anew = run_agent(tmp_path, "hello", "--session", "calc", "--abandon", "--tool", "none")
    assert anew.returncode == 0 and "You said: hello" in anew.stdout, anew
    kept = json.loads((tmp_path / "sessions" / "calc.json").read_text())
    assert kept["run"] is None and len(kept["history"]) >= 8


@pytest.mark.parametrize(
    ("typed", "seen"),
    [("y\n", "42"), ("maybe\na\n", "42"), ("n\ntoo dear\n", "too dear")],
    ids=["yes", "always", "no"],
)
def test_a_person_at_the_terminal_decides(tmp_path, typed, seen):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [BINARY, "agent", "what is 7*6", "--ask", "always", "--model", "scripted",
         "--data-dir", str(tmp_path)],
        stdin=follower, stdout=follower, stderr=follower, env=environment(), close_fds=True,
    )
    os.close(follower)
    shown = b""
    try:
        lines = typed.splitlines(keepends=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                more = os.read(leader, 4096)
            except OSError:  # the other side has closed it
                break
            if not more:
                break
            shown += more
            if lines and shown.rstrip().endswith((b"lways:", b"empty)")):
                os.write(leader, lines.pop(0).encode())
                shown += b" "
    finally:
        os.close(leader)
        process.wait(timeout=30)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "expression:" in text and "7*6" in text and seen in text, text
    assert not lines, text


def test_a_question_of_an_mcp_server_reaches_the_person(tmp_path):
    server = f"{sys.executable} {Path(__file__).parent / 'booking_server.py'}"
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [BINARY, "agent", "please book_table", "--mcp", server, "--ask", "never", "--tool", "none",
         "--model", "scripted", "--data-dir", str(tmp_path)],
        stdin=follower, stdout=follower, stderr=follower, env=environment(), close_fds=True,
    )
    os.close(follower)
    shown, answers = b"", [b"four\n", b"4\n", b"Grace\n"]
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                more = os.read(leader, 4096)
            except OSError:
                break
            shown += more
            if answers and shown.endswith(b": "):
                os.write(leader, answers.pop(0))
    finally:
        os.close(leader)
        process.wait(timeout=30)
    text = shown.decode()
    assert process.returncode == 0 and not answers, text
    assert "For how many?" in text and "booked for 4 under Grace" in text, text


def test_a_person_who_wants_out_at_the_prompt_gets_out(tmp_path):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [BINARY, "agent", "what is 7*6", "--ask", "always", "--model", "scripted",
         "--data-dir", str(tmp_path)],
        stdin=follower, stdout=follower, stderr=follower, env=environment(), close_fds=True,
    )
    os.close(follower)
    shown = b""
    try:
        deadline = time.monotonic() + 30
        while b"lways:" not in shown and time.monotonic() < deadline:
            shown += os.read(leader, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130, shown
    finally:
        process.kill()
        process.wait(timeout=10)
        os.close(leader)


def test_an_agent_of_one_s_own_needs_no_key(tmp_path):
    made = subprocess.run(
        [BINARY, "keys", "create", "--name", "laptop", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=30, env=environment(),
    )
    assert made.returncode == 0, made
    asked = run_agent(tmp_path, "hello", "--tool", "none")
    assert asked.returncode == 0 and "You said: hello" in asked.stdout, asked


def test_files_and_background_work(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("milk and bread")
    read = run_agent(tmp_path, "What is in it?", "--file", str(note), "--tool", "none")
    assert read.returncode == 0 and "milk and bread" in read.stdout, read
    missing = run_agent(tmp_path, "What is in it?", "--file", str(tmp_path / "nothing"))
    assert missing.returncode == 1 and "nothing" in missing.stderr, missing
    counted = run_agent(tmp_path, "count to 3", "--background", "--tool", "none", "--json")
    assert counted.returncode == 0, counted
    events = [json.loads(line) for line in counted.stdout.splitlines()]
    id = next(event["id"] for event in events if event["event"] == "created")
    again = run_agent(tmp_path, "--resume", id, "--tool", "none")
    assert again.returncode == 0 and "1 2 3" in again.stdout, again
    assert "PROMPT" in run_agent(tmp_path).stderr
