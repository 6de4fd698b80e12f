"""A join whose sources do not all run never fires; a second invoke completes it."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    which: str
    trail: Annotated[list, add]


builder = StateGraph(State)
builder.add_node("a", lambda s: {"trail": ["a"]})
builder.add_node("b", lambda s: {"trail": ["b"]})
builder.add_node("c", lambda s: {"trail": ["c"]})
builder.set_conditional_entry_point(lambda s: s["which"], {"a": "a", "b": "b"})
builder.add_edge(["a", "b"], "c")
app = builder.compile()
