"""What compile() checks: no entry."""

from typing import TypedDict

from langgraph.graph import StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("a", lambda s: {"x": 1})
app = g.compile()
