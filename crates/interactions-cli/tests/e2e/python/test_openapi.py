"""The server against its own OpenAPI document, by a tool that knows nothing but that document."""

import os
import subprocess
import sys


def test_the_server_does_what_its_document_says(serve, tmp_path):
    server = serve("[limits]\nbody_bytes = 1048576\n")
    run = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run",
            f"{server.url}/openapi.json",
            "--max-examples", "10", "--seed", "20260601", "--request-timeout", "20", "--no-color",
            # What a schema allows may still be refused: a webhook's address, an unknown agent.
            "--exclude-checks", "positive_data_acceptance",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=400,
    )
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    assert server.raw("GET", "/readyz").status_code == 200


def test_the_page_needs_nothing_from_elsewhere(serve):
    page = serve().raw("GET", "/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "https://" not in page.text and "http://" not in page.text
