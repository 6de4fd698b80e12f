"""A workflow of the house as a model: the unmodified clients talk to an agent."""

import tempfile

import anthropic
import httpx
import openai
import pytest

from conftest import serving

AGENT = """
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from agentweaver import nodes

class State(TypedDict):
    messages: Annotated[list, add_messages]

graph = StateGraph(State)
graph.add_node("answer", nodes.llm(model="scripted", messages_key="messages", into="messages"))
graph.add_edge(START, "answer")
graph.add_edge("answer", END)
app = graph.compile()
"""

SCRIPT = """
chunk: 4
rules:
  - when: {system: brief, turn: 2}
    say: "Twice: {{ last_user }}"
    usage: {input: 12, output: 3}
  - say: "I hear: {{ last_user }}"
    usage: {input: 5, output: 2}
"""
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def house():
    with tempfile.TemporaryDirectory() as directory, serving(directory, {}, role="all") as server:
        workflow = {"name": "Ear", "source": AGENT, "script": SCRIPT}
        headers = {"authorization": f"Bearer {server['token']}"}
        made = httpx.post(f"{server['address']}/api/v1/workflows", json=workflow, headers=headers)
        assert made.status_code == 201, made.text
        yield server


@pytest.fixture
def gpt(house):
    return openai.OpenAI(base_url=f"{house['address']}/v1", api_key=house["token"], max_retries=0)


@pytest.fixture
def claude(house):
    return anthropic.Anthropic(base_url=house["address"], api_key=house["token"], max_retries=0)


def test_it_is_listed(gpt, claude):
    assert "agent/Ear" in [model.id for model in gpt.models.list()]
    assert gpt.models.retrieve("agent/Ear").owned_by == "agentweaver"
    assert "agent/Ear" in [model.id for model in claude.models.list()]


def test_it_hears_the_whole_conversation(gpt):
    answer = gpt.chat.completions.create(model="agent/Ear", messages=HI)
    assert answer.choices[0].message.content == "I hear: hi"
    messages = [{"role": "system", "content": "Be brief"}, *HI, answer.choices[0].message,
                {"role": "user", "content": "so?"}]
    answer = gpt.chat.completions.create(model="agent/Ear", messages=messages)
    assert answer.choices[0].message.content == "Twice: so?"
    assert answer.usage.prompt_tokens == 12 and answer.usage.completion_tokens == 3


def test_its_words_come_as_they_are_said(gpt, claude):
    stream = gpt.chat.completions.create(
        model="agent/Ear", messages=HI, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    words = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(words) == "I hear: hi" and len(words) > 1
    assert chunks[-1].usage.total_tokens == 7
    with claude.messages.stream(model="agent/Ear", max_tokens=50, messages=HI) as stream:
        assert "".join(stream.text_stream) == "I hear: hi"
        assert stream.get_final_message().usage.output_tokens == 2
    with gpt.responses.stream(model="agent/Ear", input="hi") as events:
        assert events.until_done().get_final_response().output_text == "I hear: hi"


def test_who_it_is_not(gpt):
    with pytest.raises(openai.NotFoundError) as error:
        gpt.chat.completions.create(model="agent/Eer", messages=HI)
    assert "Did you mean `agent/Ear`?" in error.value.message
