"""The client over TLS: whom it trusts, and what it says of whom it does not."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading

import pytest
import trustme
from serve import BINARY, environment


class Interactions(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"id": "v1_x", "status": "completed"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def https(tmp_path):
    """A server whose certificate names `localhost`, and the authority that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Interactions)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], roots
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


def get(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [BINARY, "get", "v1_x", "--json", "--url", url]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment() | variables
    )


def test_a_certificate_of_a_trusted_authority_is_accepted(https):
    port, roots = https
    done = get(f"https://localhost:{port}", SSL_CERT_FILE=str(roots))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["id"] == "v1_x"


def test_other_certificates_are_refused_with_the_reason(https):
    port, roots = https
    unknown = get(f"https://localhost:{port}")
    misnamed = get(f"https://127.0.0.1:{port}", SSL_CERT_FILE=str(roots))
    for refused, reason in [(unknown, "UnknownIssuer"), (misnamed, "not valid for")]:
        assert refused.returncode != 0
        assert refused.stdout == ""
        assert "certificate" in refused.stderr and reason in refused.stderr, refused.stderr
