"""A plain key keeps the last write; keys that nobody writes stay as they are."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    name: str
    count: int
    never: str


def first(state):
    return {"name": "first", "count": state["count"] + 1}


def second(state):
    return {"count": state["count"] * 10}


g = StateGraph(State)
g.add_node("first", first)
g.add_node("second", second)
g.add_edge(START, "first")
g.add_edge("first", "second")
g.add_edge("second", END)
app = g.compile()
