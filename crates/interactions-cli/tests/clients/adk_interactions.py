"""google-adk in its Interactions mode: a tool in the first turn, a second turn that remembers it."""

import asyncio

from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types

CALLS = []


def get_weather(city: str) -> dict:
    """Tells the weather in a city."""
    CALLS.append(city)
    return {"weather": "snow"}


async def main(mode: StreamingMode) -> None:
    agent = LlmAgent(
        name="weather",
        model=Gemini(model="scripted", use_interactions_api=True),
        instruction="Be brief.",
        tools=[get_weather],
    )
    runner = InMemoryRunner(agent=agent, app_name="check")
    session = await runner.session_service.create_session(app_name="check", user_id="u")
    answers = []
    for question in ["How is the weather in Oslo?", "and tomorrow?"]:
        said, ids = [], set()
        async for event in runner.run_async(
            user_id="u",
            session_id=session.id,
            new_message=types.UserContent(parts=[types.Part(text=question)]),
            run_config=RunConfig(streaming_mode=mode),
        ):
            if event.interaction_id:
                ids.add(event.interaction_id)
            if event.is_final_response() and not event.partial and event.content:
                said += [part.text for part in event.content.parts or [] if part.text and not part.thought]
        assert ids, "the Interactions API was not used"
        answers.append("".join(said))
    assert "snow" in answers[0], answers
    assert "Tomorrow it is the same." in answers[1], answers


for mode in (StreamingMode.NONE, StreamingMode.SSE):
    asyncio.run(main(mode))
assert CALLS == ["Oslo", "Oslo"], CALLS
print("google-adk: ok")
