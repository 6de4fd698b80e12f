"""What compile() checks: interrupt unknown."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("a", lambda s: {"x": 1})
g.add_edge(START, "a")
app = g.compile(interrupt_before=["ghost"])
