"""A Rust agent with tools of its own, called in the background by Google's SDK."""

import os
import subprocess

import pytest
from google import genai
from serve import environment, settled


@pytest.fixture
def researcher():
    binary = os.environ["DEEP_RESEARCH_BIN"]
    process = subprocess.Popen(
        [binary, "serve"], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        first = process.stdout.readline().strip()
        assert first.startswith("listening on http://"), first
        yield genai.Client(api_key="any", http_options={"base_url": first.split()[-1]})
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


def test_research_in_the_background_with_its_steps(researcher):
    begun = researcher.interactions.create(
        agent="researcher", input="What is Rayleigh scattering?", background=True
    )
    assert begun.status == "in_progress"
    done = settled(researcher, begun.id)
    assert done.status == "completed", done
    kinds = [step.type for step in done.steps]
    assert kinds.count("function_call") == kinds.count("function_result") == 3, kinds
    assert "thought" in kinds
    assert all(source in done.output_text for source in ("[1]", "[2]", "[3]")), done.output_text
    # It goes on from there like any conversation.
    more = researcher.interactions.create(
        agent="researcher", input="And now?", previous_interaction_id=begun.id, background=True
    )
    assert settled(researcher, more.id).status == "completed"
