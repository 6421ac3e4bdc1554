"""Keys and backups from the command line, beside a running server."""

import json
import subprocess
import time

import httpx2 as httpx
from serve import BINARY, environment


def run(*arguments: str, ok: bool = True) -> str:
    done = subprocess.run(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=environment(),
    )
    assert (done.returncode == 0) == ok, (done.stdout, done.stderr)
    assert "panicked" not in done.stderr
    return done.stdout if ok else done.stderr


def test_keys_open_a_running_server_to_their_tenants(serve):
    server = serve()
    place = ("--data-dir", str(server.folder / "data"))
    mine = server.client().interactions.create(model="scripted", input="mine")
    assert run("keys", "list", *place) == "no keys\n"
    made = json.loads(run("keys", "create", "--tenant", "blue", "--name", "laptop", "--json", *place))
    default = run("keys", "create", *place).strip()
    assert made["tenant"] == "blue" and made["key"] not in run("keys", "list", *place)
    assert len(run("keys", "list", *place).splitlines()) == 2

    def status(key: str) -> int:
        return server.raw("GET", f"/v1/interactions/{mine.id}", headers={"x-goog-api-key": key}).status_code

    time.sleep(2.5)
    assert status("any") == 401
    assert status(made["key"]) == 404  # another tenant's
    assert status(default) == 200
    run("keys", "revoke", made["id"], *place)
    assert "no key" in run("keys", "revoke", made["id"], *place, ok=False)
    time.sleep(2.5)
    assert status(made["key"]) == 401
    stored = b"".join(file.read_bytes() for file in (server.folder / "data").iterdir())
    assert default.encode() not in stored and made["key"].encode() not in stored


def test_a_copy_of_a_database_in_use_serves_again(serve, tmp_path):
    server = serve()
    first = server.client().interactions.create(model="scripted", input="one")
    copy = tmp_path / "backup" / "copy.db"
    written = run("backup", str(copy), "--data-dir", str(server.folder / "data")).split()
    assert written == [str(copy), str(copy.with_suffix(".key"))]
    assert "exists" in run("backup", str(copy), "--data-dir", str(server.folder / "data"), ok=False)
    # With the key of another database in the way, nothing is left that would be in the way itself.
    (copy.parent / "other.key").write_text("another key")
    refused = run("backup", str(copy.parent / "other.db"), "--data-dir", str(server.folder / "data"), ok=False)
    assert "other.key" in refused and not (copy.parent / "other.db").exists()
    server.client().interactions.create(model="scripted", input="later")
    server.kill()
    again = serve(f'database = "sqlite://{copy}"\n')
    kept = again.client().interactions.create(
        model="scripted", input="two", previous_interaction_id=first.id
    )
    assert again.client().interactions.get(kept.id).output_text == "You said: two"
    listed = httpx.get(again.url + "/v1/interactions", trust_env=False).json()
    assert {entry["id"] for entry in listed["interaction_metadatas"]} == {first.id, kept.id}
