"""Runs that need no connection: background, polling, resuming, cancelling, deleting."""

import time

import pytest
from google.genai import _interactions as sdk
from serve import said, settled


def test_background_with_polling(client):
    queued = client.interactions.create(model="scripted", input="count to 8", background=True)
    assert queued.status in ("queued", "in_progress")
    done = settled(client, queued.id)
    assert done.status == "completed"
    assert done.output_text.split() == [str(number) for number in range(1, 9)]


def test_a_stream_is_resumed_where_it_broke(client):
    stream = client.interactions.create(
        model="scripted", input="count to 12", stream=True, background=True
    )
    head = []
    for event in stream:
        head.append(event)
        if said(head).strip().endswith("4"):
            break
    stream.close()
    id = head[0].interaction.id
    last = head[-1].event_id
    tail = list(client.interactions.get(id, stream=True, last_event_id=last))
    seen = [event.event_id for event in head] + [event.event_id for event in tail]
    assert len(set(seen)) == len(seen), "an event came twice"
    assert said(head + tail).split() == [str(number) for number in range(1, 13)]
    assert tail[-1].event_type == "interaction.completed"
    # The whole log again, after the end, is the same log.
    whole = list(client.interactions.get(id, stream=True))
    assert [event.event_id for event in whole] == seen
    assert said(whole) == said(head + tail)


def test_a_resume_after_the_end(client):
    events = list(client.interactions.create(model="scripted", input="count to 3", stream=True))
    id = events[-1].interaction.id
    for cut in range(len(events)):
        rest = list(client.interactions.get(id, stream=True, last_event_id=events[cut].event_id))
        assert [e.event_id for e in rest] == [e.event_id for e in events[cut + 1 :]]


def test_resuming_after_an_unknown_event(client):
    answer = client.interactions.create(model="scripted", input="x")
    with pytest.raises(sdk.BadRequestError) as refusal:
        list(client.interactions.get(answer.id, stream=True, last_event_id="nonsense"))
    assert "nonsense" in str(refusal.value)


def test_cancel(client):
    running = client.interactions.create(model="scripted", input="wait 60", background=True)
    before = time.monotonic()
    client.interactions.cancel(running.id)
    done = settled(client, running.id)
    assert done.status == "cancelled" and time.monotonic() - before < 10
    again = client.interactions.cancel(running.id)
    assert again.status == "cancelled"


def test_cancelling_what_has_completed(client):
    answer = client.interactions.create(model="scripted", input="x")
    with pytest.raises(sdk.BadRequestError):
        client.interactions.cancel(answer.id)
    assert client.interactions.get(answer.id).status == "completed"


def test_a_cancelled_stream_says_so(client):
    stream = client.interactions.create(
        model="scripted", input="count to 400", stream=True, background=True
    )
    events = [next(stream)]
    client.interactions.cancel(events[0].interaction.id)
    events += stream
    assert events[-1].event_type == "interaction.completed"
    assert events[-1].interaction.status == "cancelled"


def test_delete_then_not_found(client):
    answer = client.interactions.create(model="scripted", input="x")
    assert client.interactions.delete(answer.id) is None
    for call in (client.interactions.get, client.interactions.cancel, client.interactions.delete):
        with pytest.raises(sdk.NotFoundError) as refusal:
            call(answer.id)
        assert answer.id in str(refusal.value)
    with pytest.raises(sdk.NotFoundError):
        client.interactions.create(
            model="scripted", input="y", previous_interaction_id=answer.id
        )


def test_a_conversation_through_a_deleted_turn(client):
    first = client.interactions.create(model="scripted", input="one")
    second = client.interactions.create(
        model="scripted", input="two", previous_interaction_id=first.id
    )
    client.interactions.delete(first.id)
    with pytest.raises(sdk.BadRequestError) as refusal:
        client.interactions.create(
            model="scripted", input="three", previous_interaction_id=second.id
        )
    assert first.id in str(refusal.value)
    assert client.interactions.get(second.id).output_text == "You said: two"


def test_a_hung_up_caller_loses_nothing(client):
    stream = client.interactions.create(model="scripted", input="count to 10", stream=True)
    first = next(stream)
    stream.close()
    done = settled(client, first.interaction.id)
    assert done.status == "completed" and done.output_text.split()[-1] == "10"
