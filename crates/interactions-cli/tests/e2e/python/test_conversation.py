"""Text, streams, chains and function calls, as Google's documentation writes them."""

from serve import said, texts

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def result(call, text: str) -> dict:
    return {"type": "function_result", "name": call.name, "call_id": call.id, "result": text}


def calls(interaction) -> list:
    return [step for step in interaction.steps if step.type == "function_call"]


def test_text(client):
    answer = client.interactions.create(model="scripted", input="Hello there")
    assert answer.status == "completed"
    assert answer.output_text == "You said: Hello there"
    assert answer.model == "scripted"
    assert answer.object == "interaction"
    assert answer.id and answer.created and answer.updated
    assert answer.usage.total_tokens == answer.usage.total_input_tokens + answer.usage.total_output_tokens
    assert [step.type for step in answer.steps] == ["model_output"]


def test_contents_and_steps_as_input(client):
    content = [{"type": "text", "text": "first"}, {"type": "text", "text": " second"}]
    answer = client.interactions.create(model="scripted", input=content)
    assert "first" in answer.output_text and "second" in answer.output_text
    history = [
        {"type": "user_input", "content": [{"type": "text", "text": "one"}]},
        {"type": "model_output", "content": [{"type": "text", "text": "You said: one"}]},
        {"type": "user_input", "content": [{"type": "text", "text": "two"}]},
    ]
    answer = client.interactions.create(model="scripted", input=history, store=False)
    assert answer.output_text == "You said: two"


def test_streaming(client):
    events = list(client.interactions.create(model="scripted", input="count to 5", stream=True))
    kinds = [event.event_type for event in events]
    assert kinds[0] == "interaction.created" and kinds[-1] == "interaction.completed"
    assert kinds.index("step.start") < kinds.index("step.delta") < kinds.index("step.stop")
    assert said(events).split() == ["1", "2", "3", "4", "5"]
    ids = [event.event_id for event in events]
    assert all(ids) and len(set(ids)) == len(ids)
    done = events[-1].interaction
    assert done.status == "completed" and done.usage.total_output_tokens > 0
    stored = client.interactions.get(done.id)
    assert stored.output_text.split() == ["1", "2", "3", "4", "5"]


def test_thoughts_are_streamed_and_kept(client):
    events = list(client.interactions.create(model="scripted", input="think hard", stream=True))
    starts = [event.step.type for event in events if event.event_type == "step.start"]
    assert starts[0] == "thought" and "model_output" in starts
    stored = client.interactions.get(events[-1].interaction.id)
    assert [step.type for step in stored.steps if step.type != "user_input"] == starts


def test_three_turns_and_a_fork(client):
    first = client.interactions.create(model="scripted", input="remember: blue")
    second = client.interactions.create(
        model="scripted", input="and then?", previous_interaction_id=first.id
    )
    third = client.interactions.create(
        model="scripted", input="at last", previous_interaction_id=second.id
    )
    fork = client.interactions.create(
        model="scripted", input="elsewhere", previous_interaction_id=first.id
    )
    assert third.previous_interaction_id == second.id
    assert fork.previous_interaction_id == first.id
    assert len({first.id, second.id, third.id, fork.id}) == 4
    # The model was told each branch's own turns: more of them cost more tokens.
    counts = [turn.usage.total_input_tokens for turn in (first, second, third)]
    assert counts == sorted(set(counts))
    assert first.usage.total_input_tokens < fork.usage.total_input_tokens < third.usage.total_input_tokens


def test_function_call_and_result(client):
    call_turn = client.interactions.create(
        model="scripted", input="What is the weather?", tools=[WEATHER]
    )
    assert call_turn.status == "requires_action"
    (call,) = calls(call_turn)
    assert call.name == "get_weather" and call.arguments == {"city": "Paris"} and call.id
    answer = client.interactions.create(
        model="scripted",
        previous_interaction_id=call_turn.id,
        tools=[WEATHER],
        input=[result(call, "sunny")],
    )
    assert answer.status == "completed" and "sunny" in answer.output_text


def test_function_call_without_stored_history(client):
    question = {"type": "user_input", "content": [{"type": "text", "text": "weather?"}]}
    turn = client.interactions.create(
        model="scripted", input=[question], tools=[WEATHER], store=False
    )
    (call,) = calls(turn)
    steps = [step.model_dump(exclude_none=True, mode="json") for step in turn.steps]
    answer = client.interactions.create(
        model="scripted", input=[question, *steps, result(call, "rainy")], tools=[WEATHER], store=False
    )
    assert "rainy" in answer.output_text


def test_parallel_calls_need_every_answer(client):
    turn = client.interactions.create(model="scripted", input="both cities", tools=[WEATHER])
    paris, rome = calls(turn)
    assert {paris.arguments["city"], rome.arguments["city"]} == {"Paris", "Rome"}
    assert paris.id != rome.id
    options = {"model": "scripted", "previous_interaction_id": turn.id, "tools": [WEATHER]}
    try:
        client.interactions.create(**options, input=[result(paris, "sunny")])
    except Exception as error:  # noqa: BLE001
        assert error.status_code == 400 and rome.id in str(error)
    else:
        raise AssertionError("half an answer was taken for a whole one")
    answer = client.interactions.create(
        **options, input=[result(rome, "hot"), result(paris, "sunny")]
    )
    assert answer.status == "completed"


def test_function_call_streamed(client):
    events = list(
        client.interactions.create(
            model="scripted", input="weather?", tools=[WEATHER], stream=True
        )
    )
    started = [event.step for event in events if event.event_type == "step.start"]
    assert [step.type for step in started] == ["thought", "function_call"]
    assert started[1].name == "get_weather"
    assert events[-1].interaction.status == "requires_action"


def test_the_input_is_kept_and_shown_on_request(client):
    answer = client.interactions.create(model="scripted", input="kept")
    stored = client.interactions.get(answer.id, include_input=True)
    assert texts(stored.steps) == ["You said: kept"]
    shown = stored.model_dump_json()
    assert "kept" in shown
    assert stored.status == "completed" and stored.id == answer.id


def test_an_unstored_interaction_is_not_found(client):
    answer = client.interactions.create(model="scripted", input="gone", store=False)
    assert answer.output_text == "You said: gone"
    if answer.id:
        try:
            client.interactions.get(answer.id)
        except Exception as error:  # noqa: BLE001
            assert error.status_code == 404
        else:
            raise AssertionError("an unstored interaction was found")


def test_other_version_paths(server):
    for version in ("v1", "v1beta"):
        client = server.client(api_version=version)
        assert client.interactions.create(model="scripted", input="x").output_text == "You said: x"
    path = "/v1beta1/projects/p/locations/us-central1/interactions"
    answer = server.raw("POST", path, json={"model": "scripted", "input": "x"})
    assert answer.status_code == 200 and answer.json()["status"] == "completed"


def test_asynchronous_client(client):
    import asyncio

    async def talk():
        answer = await client.aio.interactions.create(model="scripted", input="hi")
        stream = await client.aio.interactions.create(
            model="scripted", input="count to 3", stream=True, previous_interaction_id=answer.id
        )
        return [event async for event in stream]

    assert said(asyncio.run(talk())).split() == ["1", "2", "3"]
