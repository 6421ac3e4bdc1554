"""The `webhooks` resource and what it delivers, as Google's SDK and Standard Webhooks see it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading

import pytest


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.arrived.put((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.arrived = queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def allowed(receiver) -> tuple[str, str]:
    host = f"127.0.0.1:{receiver.server_address[1]}"
    return f"http://{host}", f'[egress]\nallow = ["{host}"]\n'


def test_a_webhook_from_its_making_to_its_end(serve, receiver):
    url, config = allowed(receiver)
    client = serve(config).client()
    made = client.webhooks.create(
        name="ci", uri=f"{url}/hook", subscribed_events=["interaction.completed", "interaction.failed"]
    )
    assert made.state == "enabled" and made.new_signing_secret.startswith("whsec_")
    assert client.webhooks.get(id=made.id).new_signing_secret is None
    assert [hook.id for hook in client.webhooks.list().webhooks] == [made.id]

    started = client.interactions.create(model="scripted", input="hi", background=True)
    path, headers, body = receiver.arrived.get(timeout=20)
    assert path == "/hook"
    key = base64.b64decode(made.new_signing_secret.removeprefix("whsec_"))
    signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    event = json.loads(body)
    assert (event["type"], event["data"]["id"]) == ("interaction.completed", started.id)

    assert client.webhooks.rotate_signing_secret(id=made.id).secret.startswith("whsec_")
    client.webhooks.ping(id=made.id)
    assert json.loads(receiver.arrived.get(timeout=20)[2])["type"] == "webhook.ping"
    paused = client.webhooks.update(id=made.id, state="disabled")
    assert paused.state == "disabled" and paused.name == "ci"
    client.webhooks.delete(id=made.id)
    with pytest.raises(Exception) as gone:
        client.webhooks.get(id=made.id)
    assert gone.value.status_code == 404


def test_an_address_that_one_request_names(serve, receiver):
    url, config = allowed(receiver)
    server = serve(config)
    started = server.client().interactions.create(
        model="scripted",
        input="hi",
        background=True,
        webhook_config={"uris": [f"{url}/once"], "user_metadata": {"job": 7}},
    )
    _, headers, body = receiver.arrived.get(timeout=20)
    event = json.loads(body)
    assert event["data"]["id"] == started.id and event["user_metadata"] == {"job": 7}
    head, claims, _ = headers["webhook-signature"].split(".")
    read = lambda part: json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    keys = server.raw("GET", "/.well-known/jwks.json").json()["keys"]
    assert read(head)["alg"] == "RS256" and read(head)["kid"] in [key["kid"] for key in keys]
    assert read(claims)["aud"] == f"{url}/once"
