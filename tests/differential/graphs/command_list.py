"""A node may return a list of Commands and dicts."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send


class State(TypedDict):
    trail: Annotated[list, add]
    last: str


def many(state: State):
    return [
        {"trail": ["dict"]},
        Command(update={"trail": ["first"]}, goto="x"),
        Command(update={"last": "many"}, goto=[Send("y", {"trail": ["sent"]}), "x"]),
    ]


g = StateGraph(State)
g.add_node("many", many)
g.add_node("x", lambda s: {"trail": ["x"]})
g.add_node("y", lambda s: {"trail": [f"y got {s['trail']}"]})
g.add_edge(START, "many")
app = g.compile()
