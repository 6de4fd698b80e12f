"""A goto into a join's source and straight to its target; joins only count edges."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command


class State(TypedDict):
    log: Annotated[list, add]


g = StateGraph(State)
g.add_node("a", lambda s: Command(update={"log": ["a"]}, goto=["c", "b"]))
g.add_node("b", lambda s: {"log": ["b"]})
g.add_node("c", lambda s: {"log": ["c"]})
g.add_edge(START, "a")
g.add_edge(["a", "b"], "c")
app = g.compile()
