"""A Command as input: update and goto on a thread."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]
    note: str


b = StateGraph(State)
b.add_node("a", lambda s: {"trail": ["a"]})
b.add_node("b", lambda s: {"trail": ["b"]})
b.add_node("c", lambda s: {"trail": ["c"]})
b.add_edge(START, "a")
b.add_edge("b", "c")
app = b.compile()
