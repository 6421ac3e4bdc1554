"""Runs a2a.mjs (@a2a-js/sdk) against the same host, with kill -9 and restart in its middle."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from pathlib import Path

from conftest import KEY
from cryptography.hazmat.primitives import serialization

SCRIPT = Path(__file__).with_name("a2a.mjs")


def test_js_sdk(host, signing, tmp_path):
    class Control(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            host.restart()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    control = http.server.HTTPServer(("127.0.0.1", 0), Control)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    public = tmp_path / "public.pem"
    public.write_bytes(
        signing[1].public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    place = f"http://127.0.0.1:{control.server_address[1]}/"
    node = os.environ["E2E_NODE"]
    environment = os.environ | {
        "A2A_URL": host.base_url,
        "A2A_KEY": KEY,
        "A2A_CARD_KEY": str(public),
        "A2A_PUSH_PORT": host.places["push_js"].rpartition(":")[2],
        "A2A_HOST_RESTART": f"\"{node}\" -e \"fetch('{place}')\"",
    }
    try:
        done = subprocess.run(
            [node, "--test", "--test-reporter=tap", "--test-timeout=120000", str(SCRIPT)],
            env=environment, capture_output=True, text=True, timeout=300,
        )
    finally:
        control.shutdown()
        control.server_close()
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# pass 0" not in done.stdout
