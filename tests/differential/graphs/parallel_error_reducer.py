"""Branches that write one reducer in one step; one of them fails, and runs again alone."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    fail: bool
    log: Annotated[list, add]
    total: Annotated[int, lambda a, b: a + b]


def good(state: State):
    return {"log": ["good"], "total": 1}


def worst(state: State):
    if state["fail"]:
        raise RuntimeError("it failed")
    return {"log": ["worst"], "total": 10}


def middle(state: State):
    return {"log": ["middle"], "total": 100}


g = StateGraph(State)
g.add_node("start", lambda s: {"log": ["start"]})
for f in (worst, good, middle):
    g.add_node(f)
    g.add_edge("start", f.__name__)
    g.add_edge(f.__name__, "end")
g.add_node("end", lambda s: {"log": [f"end {s['total']}"]})
g.add_edge(START, "start")
app = g.compile()
