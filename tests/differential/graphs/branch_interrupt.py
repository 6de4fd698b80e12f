"""A routing function that asks where to go."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def route(state: State):
    where = interrupt({"where": state["log"]})
    return where


g = StateGraph(State)
g.add_node("a", lambda s: {"log": ["a"]})
g.add_node("b", lambda s: {"log": ["b"]})
g.add_node("c", lambda s: {"log": ["c"]})
g.add_edge(START, "a")
g.add_conditional_edges("a", route, ["b", "c", END])
app = g.compile()
