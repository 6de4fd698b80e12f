"""What compile() checks: edge to unknown."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("a", lambda s: {"x": 1})
g.add_edge(START, "a")
g.add_edge("a", "ghost")
app = g.compile()
