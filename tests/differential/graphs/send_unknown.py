"""A Send to a node that does not exist."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send


class State(TypedDict):
    a: int


g = StateGraph(State)
g.add_node("one", lambda s: {"a": 1})
g.add_edge(START, "one")
g.add_conditional_edges("one", lambda s: [Send("nowhere", {"a": 5})])
app = g.compile()
