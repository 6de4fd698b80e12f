"""What compile() checks: edge from end."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    x: int


g = StateGraph(State)
g.add_node("a", lambda s: {"x": 1})
g.add_edge(START, "a")
g.add_edge(END, "a")
app = g.compile()
