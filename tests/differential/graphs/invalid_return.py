"""A node may not return a plain value."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    kind: str


def wrong(state: State):
    return {"text": "text", "number": 3, "list": [1, 2], "dicts": [{"kind": "a"}], "true": True}[state["kind"]]


app = StateGraph(State).add_node(wrong).add_edge(START, "wrong").compile()
