"""Time travel of a finished parent to a checkpoint inside its subgraph's run."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


def step(name):
    return lambda state: {"log": [name]}


child = StateGraph(State)
child.add_node("c1", step("c1"))
child.add_node("c2", step("c2"))
child.add_edge(START, "c1")
child.add_edge("c1", "c2")

parent = StateGraph(State)
parent.add_node("child", child.compile())
parent.add_node("last", step("last"))
parent.add_edge(START, "child")
parent.add_edge("child", "last")
app = parent.compile()
