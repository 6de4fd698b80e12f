"""A subgraph compiled with a static interrupt."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


sub = StateGraph(State)
sub.add_node("one", lambda s: {"log": ["one"]})
sub.add_node("two", lambda s: {"log": ["two"]})
sub.add_edge(START, "one")
sub.add_edge("one", "two")

main = StateGraph(State)
main.add_node("sub", sub.compile(interrupt_before=["two"]))
main.add_node("end", lambda s: {"log": ["end"]})
main.add_edge(START, "sub")
main.add_edge("sub", "end")
app = main.compile()
