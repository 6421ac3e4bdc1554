"""What was acknowledged outlives the process."""

import sqlite3
import subprocess
import time

from serve import BINARY, environment, said, settled

LEASE = '[background]\nlease = "1s"\n'


def test_history_survives_a_restart(serve, tmp_path):
    folder = tmp_path / "kept"
    server = serve(folder=folder)
    first = server.client().interactions.create(model="scripted", input="one")
    assert server.stop() == 0
    server = serve(folder=folder)
    client = server.client()
    assert client.interactions.get(first.id).output_text == "You said: one"
    second = client.interactions.create(
        model="scripted", input="two", previous_interaction_id=first.id
    )
    assert second.usage.total_input_tokens > first.usage.total_input_tokens


def test_a_killed_server_s_runs_are_taken_over(serve, tmp_path):
    folder = tmp_path / "killed"
    server = serve(LEASE, folder=folder)
    stream = server.client().interactions.create(
        model="scripted", input="count to 30", stream=True, background=True
    )
    head = []
    for event in stream:
        head.append(event)
        if len(said(head).split()) >= 5:
            break
    server.kill()
    id = head[0].interaction.id
    server = serve(LEASE, folder=folder)
    client = server.client()
    done = settled(client, id)
    assert done.status == "completed" and done.output_text.split()[-1] == "30"
    log = list(client.interactions.get(id, stream=True))
    # What had been sent is there still, unchanged, at the same place.
    assert [event.model_dump_json() for event in log[: len(head)]] == [
        event.model_dump_json() for event in head
    ]
    tail = list(client.interactions.get(id, stream=True, last_event_id=head[-1].event_id))
    assert [event.event_id for event in tail] == [event.event_id for event in log[len(head) :]]


def test_a_second_server_on_the_same_database(serve, tmp_path):
    folder = tmp_path / "shared"
    one, two = serve(LEASE, folder=folder), serve(LEASE, folder=folder)
    running = one.client().interactions.create(model="scripted", input="count to 40", background=True)
    assert settled(two.client(), running.id).status == "completed"
    left = one.client().interactions.create(model="scripted", input="left")
    right = two.client().interactions.create(
        model="scripted", input="right", previous_interaction_id=left.id
    )
    assert one.client().interactions.get(right.id).output_text == "You said: right"
    # A run of one is cancelled through the other.
    long = one.client().interactions.create(model="scripted", input="wait 60", background=True)
    two.client().interactions.cancel(long.id)
    assert settled(one.client(), long.id).status == "cancelled"
    # The one that runs it dies; the other goes on.
    orphan = one.client().interactions.create(model="scripted", input="count to 60", background=True)
    time.sleep(0.3)
    one.kill()
    assert settled(two.client(), orphan.id).output_text.split()[-1] == "60"
    check = sqlite3.connect(folder / "data" / "interactions.db")
    assert check.execute("pragma integrity_check").fetchone() == ("ok",)
    check.close()


def refused(*arguments: str) -> str:
    run = subprocess.run(
        [BINARY, "serve", "--listen", "127.0.0.1:0", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, env=environment(),
    )
    assert run.returncode != 0 and run.stdout == "", run.stdout
    assert "panicked" not in run.stderr
    return run.stderr


def test_a_configuration_that_does_not_fit(tmp_path):
    file = tmp_path / "interactions.toml"
    file.write_text("[limits]\nbody_byte = 1\n")
    assert "limits.body_byte" in refused("--config", str(file), "--data-dir", str(tmp_path))
    assert "absent.toml" in refused("--config", str(tmp_path / "absent.toml"))


def test_a_database_that_is_none(tmp_path):
    file = tmp_path / "interactions.db"
    file.write_bytes(b"this is no database at all" * 100)
    assert "interactions.db" in refused("--data-dir", str(tmp_path))
    assert file.read_bytes() == b"this is no database at all" * 100
