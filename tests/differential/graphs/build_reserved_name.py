"""What compile() checks: reserved name."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("a|b", lambda s: {"x": 1})
g.add_edge(START, "a|b")
app = g.compile()
