"""The `agents` resource, as Google's SDK calls it."""

import pytest


def test_an_agent_from_its_making_to_its_end(serve):
    client = serve().client()
    made = client.agents.create(
        id="helper",
        base_agent="scripted",
        system_instruction="Be brief.",
        tools=[{"type": "function", "name": "get_weather", "description": "Tells the weather."}],
    )
    assert made.id == "helper" and made.system_instruction == "Be brief."
    assert client.agents.get(id="helper").tools[0].name == "get_weather"
    assert [agent.id for agent in client.agents.list().agents] == ["helper"]

    asked = client.interactions.create(agent="helper", input="How is the weather?")
    assert asked.status == "requires_action"
    call = next(step for step in asked.steps if step.type == "function_call")
    told = client.interactions.create(
        agent="helper",
        previous_interaction_id=asked.id,
        input=[{"type": "function_result", "call_id": call.id, "name": call.name, "result": "sunny"}],
    )
    assert told.status == "completed" and "sunny" in told.output_text

    client.agents.delete(id="helper")
    with pytest.raises(Exception) as gone:
        client.agents.get(id="helper")
    assert gone.value.status_code == 404


def test_what_came_with_the_server_stays(serve):
    client = serve('[[agents]]\nid = "fixed"\nmodel = "scripted"\n').client()
    with pytest.raises(Exception) as refused:
        client.agents.delete(id="fixed")
    assert refused.value.status_code == 400
    answer = client.interactions.create(agent="fixed", input="hi", background=True)
    assert answer.status == "in_progress"
