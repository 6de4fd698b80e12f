"""A routing function that raises, and one that returns nothing."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    kind: str
    out: str


def route(state: State):
    if state["kind"] == "raise":
        raise LookupError("no way")
    if state["kind"] == "empty":
        return []
    return None


g = StateGraph(State)
g.add_node("a", lambda s: {"out": "a"})
g.add_node("b", lambda s: {"out": "b"})
g.add_edge(START, "a")
g.add_conditional_edges("a", route)
app = g.compile()
