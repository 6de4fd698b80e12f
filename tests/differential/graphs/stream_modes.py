"""All stream modes of a small graph with a fan-out, a failure and an interrupt."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    kind: str
    log: Annotated[list, add]


def begin(state: State):
    return {"log": ["begin"]}


def a(state: State):
    return {"log": ["a"]}


def b(state: State):
    if state["kind"] == "fail":
        raise ValueError("b fails")
    if state["kind"] == "ask":
        return {"log": [interrupt({"ask": 1})]}
    return None


def end(state: State):
    return {"kind": "done", "log": ["end 1"]}


g = StateGraph(State)
g.add_node(begin)
g.add_node(a)
g.add_node(b)
g.add_node(end)
g.add_edge(START, "begin")
g.add_edge("begin", "a")
g.add_edge("begin", "b")
g.add_edge(["a", "b"], "end")
app = g.compile()
