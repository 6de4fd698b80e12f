"""Replay from an old checkpoint, and a fork with edited state."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Story(TypedDict):
    topic: str
    lines: Annotated[list[str], add]


def choose(story: Story):
    return {"topic": "cats", "lines": ["choose"]}


def write(story: Story):
    return {"lines": [f"write about {story['topic']}"]}


def close(story: Story):
    return {"lines": ["close"]}


g = StateGraph(Story)
g.add_sequence([choose, write, close])
g.add_edge(START, "choose")
app = g.compile()
