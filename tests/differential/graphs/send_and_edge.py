"""A node may run by an edge and by Sends in the same step; Send's input is taken as it is."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send


class State(TypedDict):
    n: int
    out: Annotated[list, add]


def source(state: State):
    return {"n": state["n"] + 1}


def worker(state):
    return {"out": [state if isinstance(state, str) else dict(state)]}


def route(state: State):
    return ["worker", Send("worker", {"n": -1, "extra": True}), "sink", Send("worker", "plain text"), Send("worker", {})]


def sink(state: State):
    return {"out": ["sink"]}


b = StateGraph(State)
b.add_node("source", source)
b.add_node("worker", worker)
b.add_node("sink", sink)
b.add_edge(START, "source")
b.add_conditional_edges("source", route)
app = b.compile()
