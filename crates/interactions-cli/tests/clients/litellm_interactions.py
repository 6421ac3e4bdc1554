"""LiteLLM's interactions calls, passed through to us: a tool, its result, and a turn that remembers."""

import asyncio
import os

import litellm
from litellm import interactions

BASE = os.environ["GEMINI_API_BASE"]
TOOLS = [{"type": "function", "name": "get_weather", "description": "Tells the weather.",
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]


def field(value, name):
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def steps(interaction, kind):
    return [step for step in field(interaction, "steps") or [] if field(step, "type") == kind]


def text(interaction):
    return "".join(
        field(part, "text") or ""
        for step in steps(interaction, "model_output")
        for part in field(step, "content") or []
    )


async def main():
    ask = dict(model="gemini/scripted", api_key="any", api_base=BASE, tools=TOOLS)
    asked = await interactions.acreate(input="How is the weather in Oslo?", **ask)
    call = steps(asked, "function_call")[0]
    told = await interactions.acreate(
        input=[{"type": "function_result", "call_id": field(call, "id"), "name": "get_weather", "result": "snow"}],
        previous_interaction_id=field(asked, "id"), **ask)
    assert "snow" in text(told), told
    more = await interactions.acreate(input="and tomorrow?", previous_interaction_id=field(told, "id"), **ask)
    assert "Tomorrow it is the same." in text(more), more
    stream = await interactions.acreate(input="and tomorrow?", previous_interaction_id=field(told, "id"), stream=True, **ask)
    kinds = [field(event, "event_type") async for event in stream]
    assert "interaction.completed" in kinds, kinds
    print("LiteLLM: ok")


asyncio.run(main())
