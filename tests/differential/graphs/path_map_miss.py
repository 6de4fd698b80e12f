"""A route that its path map does not know is a KeyError; a route to a node that does not exist ends there."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    go: str
    out: str


b = StateGraph(State)
b.add_node("a", lambda s: {"out": "a"})
b.add_node("b", lambda s: {"out": "b"})
b.add_edge(START, "a")
b.add_conditional_edges("a", lambda s: s["go"], {"yes": "b"})
app = b.compile()
