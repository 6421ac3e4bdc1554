"""What goes wrong is told by class, code and place."""

import json
import socket

import httpx2 as httpx
import pytest
from google.genai import _interactions as sdk
from serve import settled

KEYS = '[auth]\nkeys = [{ key = "alpha", tenant = "a" }, { key = "beta", tenant = "b" }]\n'


def code(refusal) -> str:
    """The code in an SDK error's body."""
    body = refusal.value.body
    if isinstance(body, (str, bytes)):
        body = json.loads(body)
    return body["error"]["code"]


def test_bad_key(serve):
    server = serve(KEYS)
    with pytest.raises(sdk.AuthenticationError) as refusal:
        server.client("wrong").interactions.create(model="scripted", input="x")
    assert code(refusal) == "authentication"
    assert "wrong" not in str(refusal.value)
    mine = server.client("alpha").interactions.create(model="scripted", input="x")
    assert mine.output_text == "You said: x"
    with pytest.raises(sdk.NotFoundError):
        server.client("beta").interactions.get(mine.id)
    assert server.raw("POST", "/v1/interactions", json={}).status_code == 401


def test_unknown_model(client):
    with pytest.raises(sdk.NotFoundError) as refusal:
        client.interactions.create(model="no-such-model", input="x")
    assert code(refusal) == "model_not_found" and "no-such-model" in str(refusal.value)


def test_unknown_agent(client):
    with pytest.raises(sdk.NotFoundError) as refusal:
        client.interactions.create(agent="no-such-agent", input="x")
    assert "no-such-agent" in str(refusal.value)


@pytest.mark.parametrize(
    ("extra", "path"),
    [
        ({"temprature": 1}, "temprature"),
        ({"generation_config": {"top_q": 1}}, "generation_config.top_q"),
        ({"tools": [{"type": "function", "name": "f", "paramters": {}}]}, "tools[0].paramters"),
        ({"tools": [{"type": "functoin", "name": "f"}]}, "tools[0]"),
        ({"input": [{"type": "user_input", "content": [{"type": "txet", "text": "x"}]}]}, "input[0]"),
    ],
)
def test_unknown_field(client, extra, path):
    with pytest.raises(sdk.BadRequestError) as refusal:
        client.interactions.create(model="scripted", input="x", extra_body=extra)
    assert path in str(refusal.value)


@pytest.mark.parametrize(
    ("extra", "path"),
    [
        ({"store": "yes"}, "store"),
        ({"generation_config": {"temperature": "hot"}}, "generation_config.temperature"),
        ({"previous_interaction_id": 7}, "previous_interaction_id"),
        ({"input": 7}, "input"),
        ({"tools": {}}, "tools"),
    ],
)
def test_wrong_type(client, extra, path):
    with pytest.raises(sdk.BadRequestError) as refusal:
        client.interactions.create(model="scripted", input="x", extra_body=extra)
    assert path in str(refusal.value)


def test_model_and_agent_together(client):
    with pytest.raises(sdk.BadRequestError) as refusal:
        client.interactions.create(model="scripted", input="x", extra_body={"agent": "helper"})
    assert "agent" in str(refusal.value) and "model" in str(refusal.value)


def test_background_must_be_stored(client):
    with pytest.raises(sdk.BadRequestError) as refusal:
        client.interactions.create(model="scripted", input="x", store=False, background=True)
    assert "store" in str(refusal.value) and "background" in str(refusal.value)


def test_unknown_previous_interaction(client):
    with pytest.raises(sdk.NotFoundError) as refusal:
        client.interactions.create(model="scripted", input="x", previous_interaction_id="v1_none")
    assert "v1_none" in str(refusal.value)


def test_continuing_what_still_runs(client):
    running = client.interactions.create(model="scripted", input="wait 30", background=True)
    try:
        with pytest.raises(sdk.BadRequestError) as refusal:
            client.interactions.create(
                model="scripted", input="x", previous_interaction_id=running.id
            )
        assert running.id in str(refusal.value)
    finally:
        client.interactions.cancel(running.id)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', '{"model": "scripted", "input": "x"', "\x00\xff"])
def test_malformed_json(server, body):
    answer = server.raw(
        "POST", "/v1/interactions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid_request" and error["message"]


def test_other_methods_and_paths(server):
    assert server.raw("PUT", "/v1/interactions").status_code in (404, 405)
    missing = server.raw("GET", "/v1/nothing")
    assert missing.status_code == 404 and missing.json()["error"]["code"] == "not_found"


def test_a_body_over_the_limit(serve):
    server = serve("[limits]\nbody_bytes = 4096\n")
    body = {"model": "scripted", "input": "x" * 5000}
    answer = server.raw("POST", "/v1/interactions", json=body)
    assert answer.status_code == 413 and "4096" in answer.json()["error"]["message"]
    small = server.client().interactions.create(model="scripted", input="x")
    assert small.output_text == "You said: x"


def test_errors_of_a_model_end_the_run(client):
    failed = client.interactions.create(model="scripted", input="fail please")
    assert failed.status == "failed"
    assert client.interactions.get(failed.id).status == "failed"
    events = list(client.interactions.create(model="scripted", input="fail please", stream=True))
    assert [e.event_type for e in events][-2:] == ["error", "interaction.completed"]
    assert events[-1].interaction.status == "failed"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def upstream(adapter: str, url: str) -> str:
    return f'[[models]]\nmatch = "m"\nadapter = "{adapter}"\nbase_url = "{url}"\napi_key = "hush"\n'


@pytest.mark.parametrize("adapter", ["openai", "interactions"])
def test_an_absent_upstream(serve, adapter):
    server = serve(upstream(adapter, f"http://127.0.0.1:{unused_port()}"))
    answer = server.raw("POST", "/v1/interactions", json={"model": "m", "input": "x"})
    assert answer.status_code == 503, answer.text
    assert "hush" not in answer.text
    client = server.client()
    kept = client.interactions.create(model="m", input="x", background=True)
    done = settled(client, kept.id)
    assert done.status == "failed"
    shown = server.raw("GET", f"/v1/interactions/{kept.id}?include_input=true").json()
    assert shown["errors"][0]["message"] and shown["steps"]
    events = list(client.interactions.create(model="m", input="x", stream=True))
    assert events[-1].interaction.status == "failed"


@pytest.mark.parametrize("adapter", ["openai", "interactions"])
@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>"), (200, ""), (500, "no"), (404, "{}"), (429, "{}")]
)
def test_a_broken_upstream(serve, broken, adapter, status, body):
    server = serve(upstream(adapter, broken(status, body)))
    client = server.client()
    kept = client.interactions.create(model="m", input="x", background=True)
    assert settled(client, kept.id).status == "failed"
    shown = server.raw("GET", f"/v1/interactions/{kept.id}").json()
    assert shown["errors"][0]["code"] and "hush" not in json.dumps(shown)


@pytest.fixture
def broken():
    """Starts an upstream that answers everything in one wrong way."""
    import http.server
    import threading

    started = []

    def start(status: int, body: str) -> str:
        class Wrong(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        started.append(listener)
        return f"http://127.0.0.1:{listener.server_port}"

    yield start
    for listener in started:
        listener.shutdown()
        listener.server_close()


def test_a_caller_that_stops_in_the_middle_of_its_body(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(
            b"POST /v1/interactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b'content-length: 500\r\n\r\n{"model": "scr'
        )
    assert httpx.get(server.url + "/healthz", trust_env=False).status_code == 200
