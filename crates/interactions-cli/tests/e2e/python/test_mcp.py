"""Remote MCP servers: the server calls their tools for a model."""

import json
import os
import socket
import threading
import time

from serve import said, settled

EVERYTHING = os.environ["INTERACTIONS_MCP_EVERYTHING"]
HOST = EVERYTHING.removeprefix("http://").removesuffix("/mcp")

RULES = """
[[rules]]
prompt = "echo"
steps = [{ call = "echo", arguments = { message = "over the wire" } }]

[[rules]]
prompt = "add"
steps = [
    { thought = "Two at once." },
    { call = "get-sum", arguments = { a = 2, b = 40 } },
    { call = "echo", arguments = { message = "beside it" } },
]

[[rules]]
prompt = "wrong"
steps = [{ call = "get-sum", arguments = { a = "two" } }]

[[rules]]
prompt = "slow"
steps = [{ call = "trigger-long-running-operation", arguments = { duration = 60, steps = 2 } }]

[[rules]]
after = "*"
steps = [{ text = "The tool said: {result}" }]
"""

ALLOW = f'[egress]\nallow = ["{HOST}"]\n'


def tool(**more) -> dict:
    return {"type": "mcp_server", "name": "everything", "url": EVERYTHING, **more}


def steps(interaction) -> list[str]:
    return [step.type for step in interaction.steps]


def test_its_tools_are_called_for_the_model(serve):
    client = serve(ALLOW, rules=RULES).client()
    answer = client.interactions.create(model="scripted", input="echo", tools=[tool()])
    assert answer.status == "completed"
    assert steps(answer)[-3:] == ["mcp_server_tool_call", "mcp_server_tool_result", "model_output"]
    assert "Echo: over the wire" in answer.output_text
    call, result = answer.steps[-3:-1]
    assert call.name == "echo" and call.server_name == "everything"
    assert call.arguments == {"message": "over the wire"} and result.call_id == call.id


def test_several_calls_in_one_turn_and_a_follow_up(serve):
    client = serve(ALLOW, rules=RULES).client()
    answer = client.interactions.create(model="scripted", input="add", tools=[tool()])
    assert steps(answer).count("mcp_server_tool_call") == 2
    assert steps(answer).count("mcp_server_tool_result") == 2
    follow = client.interactions.create(
        model="scripted", input="hi", previous_interaction_id=answer.id
    )
    assert follow.status == "completed"


def test_streamed_and_in_the_background(serve):
    client = serve(ALLOW, rules=RULES).client()
    events = list(
        client.interactions.create(model="scripted", input="echo", tools=[tool()], stream=True)
    )
    starts = [event.step.type for event in events if event.event_type == "step.start"]
    assert starts == ["mcp_server_tool_call", "mcp_server_tool_result", "model_output"]
    assert "over the wire" in said(events)
    queued = client.interactions.create(
        model="scripted", input="echo", tools=[tool()], background=True
    )
    assert "over the wire" in settled(client, queued.id).output_text


def test_only_allowed_tools_are_offered(serve):
    client = serve(ALLOW, rules=RULES).client()
    tools = [tool(allowed_tools=[{"mode": "auto", "tools": ["get-sum"]}])]
    answer = client.interactions.create(model="scripted", input="echo", tools=tools)
    assert "Echo:" not in (answer.output_text or "")


def test_a_failing_tool_is_told_to_the_model(serve):
    client = serve(ALLOW, rules=RULES).client()
    answer = client.interactions.create(model="scripted", input="wrong", tools=[tool()])
    assert answer.status == "completed" and "The tool said:" in answer.output_text


def test_its_headers_stay_secret(serve):
    server = serve(ALLOW, rules=RULES)
    client = server.client()
    tools = [tool(headers={"Authorization": "Bearer very-secret"})]
    answer = client.interactions.create(model="scripted", input="echo", tools=tools)
    shown = server.raw("GET", f"/v1/interactions/{answer.id}?include_input=true").text
    assert "very-secret" not in shown and "very-secret" not in answer.model_dump_json()
    for file in (server.folder / "data").iterdir():
        if file.is_file():
            assert b"very-secret" not in file.read_bytes(), file
    assert "very-secret" not in server.log.read_text()


def test_a_private_address_is_refused(serve):
    server = serve(rules=RULES)
    answer = server.raw(
        "POST", "/v1/interactions", json={"model": "scripted", "input": "echo", "tools": [tool()]}
    )
    assert "Echo:" not in answer.text
    assert "egress" in answer.text or "127.0.0.1" in answer.text


def test_a_server_that_is_down(serve):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(f'[egress]\nallow = ["127.0.0.1:{port}"]\n', rules=RULES)
    down = {"type": "mcp_server", "name": "down", "url": f"http://127.0.0.1:{port}/mcp"}
    before = time.monotonic()
    answer = server.raw(
        "POST", "/v1/interactions", json={"model": "scripted", "input": "hello", "tools": [down]}
    )
    assert time.monotonic() - before < 30
    body = answer.json()
    assert answer.status_code == 200 and body["status"] == "completed", body
    assert [error["code"] for error in body["errors"]] == ["mcp_server_unavailable"]
    assert "down" in json.dumps(body["errors"])


def test_a_server_that_accepts_and_says_nothing(serve):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        kept = []

        def accept():
            try:
                while True:
                    kept.append(listener.accept()[0])
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        port = listener.getsockname()[1]
        server = serve(f'[egress]\nallow = ["127.0.0.1:{port}"]\n', rules=RULES)
        silent = {"type": "mcp_server", "name": "silent", "url": f"http://127.0.0.1:{port}/mcp"}
        client = server.client()
        queued = client.interactions.create(
            model="scripted", input="hello", tools=[silent], background=True
        )
        done = settled(client, queued.id, limit=60)
        assert done.status == "completed"
        body = server.raw("GET", f"/v1/interactions/{queued.id}").json()
        assert [error["code"] for error in body["errors"]] == ["mcp_server_unavailable"]
        listener.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def test_a_slow_tool_ends_with_the_run(serve):
    client = serve(ALLOW, rules=RULES).client()
    running = client.interactions.create(
        model="scripted", input="slow", tools=[tool()], background=True
    )
    time.sleep(1)
    assert client.interactions.get(running.id).status == "in_progress"
    client.interactions.cancel(running.id)
    assert settled(client, running.id, limit=10).status == "cancelled"
