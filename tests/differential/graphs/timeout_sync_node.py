"""A timeout on a node that is not async is refused when the graph is built."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("plain", lambda s: {"x": 1}, timeout=1.0)
g.add_edge(START, "plain")
app = g.compile()
