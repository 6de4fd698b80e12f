"""What a node does to its input does not change the state of its siblings or of the next step."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int
    log: Annotated[list, add]


def a(state: State):
    state["n"] = 100
    return {"log": [f"a saw {state['n']}"]}


def b(state: State):
    return {"log": [f"b saw {state['n']}"]}


def c(state: State):
    return {"log": [f"c saw {state['n']}"]}


g = StateGraph(State)
for f in [a, b, c]:
    g.add_node(f)
g.add_edge(START, "a")
g.add_edge(START, "b")
g.add_edge(["a", "b"], "c")
app = g.compile()
