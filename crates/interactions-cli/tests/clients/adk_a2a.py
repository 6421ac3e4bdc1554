"""google-adk and A2A, both ways: its agent called as a tool of ours, and our host as its remote agent."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import uvicorn
from google.adk.a2a.utils.agent_to_a2a import to_a2a
from google.adk.agents import LlmAgent
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get_weather(city: str) -> dict:
    """Tells the weather in a city."""
    return {"weather": "snow"}


def our_tool_calls_an_adk_agent() -> None:
    agent = LlmAgent(
        name="forecaster",
        description="Knows the weather.",
        model=Gemini(model="scripted", use_interactions_api=True),
        tools=[get_weather],
    )
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(to_a2a(agent, host="127.0.0.1", port=port), host="127.0.0.1", port=port, log_level="error")
    )
    threading.Thread(target=server.run, daemon=True).start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the ADK agent does not start"
        time.sleep(0.05)
    done = subprocess.run(
        [os.environ["A2A_PAIR_BIN"], "--agent", f"http://127.0.0.1:{port}", "--ask", "How is the weather in Oslo?"],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "snow" in done.stdout, done.stdout + done.stderr
    server.should_exit = True


async def an_adk_agent_calls_our_host(folder: Path) -> None:
    port = free_port()
    host = subprocess.Popen(
        [os.environ["INTERACTIONS_BIN"], "a2a", "serve", "--model", "scripted", "--listen", f"127.0.0.1:{port}",
         "--data-dir", str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )
    try:
        first = host.stdout.readline().strip()
        assert first.startswith("listening on "), first
        card = f"{first.removeprefix('listening on ')}/.well-known/agent-card.json"
        remote = RemoteA2aAgent(name="counter", agent_card=card)
        runner = InMemoryRunner(agent=remote, app_name="check")
        session = await runner.session_service.create_session(app_name="check", user_id="u")
        for question, answer in (("count to 3", "1 2 3"), ("count to 2", "1 2")):
            said = ""
            async for event in runner.run_async(
                user_id="u",
                session_id=session.id,
                new_message=types.UserContent(parts=[types.Part(text=question)]),
            ):
                assert not event.error_message, event.error_message
                said += "".join(part.text or "" for part in (event.content and event.content.parts) or [])
            assert answer in said, said
    finally:
        host.kill()
        host.wait(timeout=30)


our_tool_calls_an_adk_agent()
asyncio.run(an_adk_agent_calls_our_host(Path(sys.argv[1])))
print("google-adk A2A: ok")
