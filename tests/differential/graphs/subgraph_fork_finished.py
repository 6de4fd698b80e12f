"""Time travel of a finished parent to a checkpoint inside its subgraph's run."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


child = StateGraph(State)
child.add_node("c1", lambda state: {"log": ["c1"]})
child.add_node("c2", lambda state: {"log": ["c2"]})
child.add_edge(START, "c1")
child.add_edge("c1", "c2")

parent = StateGraph(State)
parent.add_node("child", child.compile())
parent.add_node("last", lambda state: {"log": ["last"]})
parent.add_edge(START, "child")
parent.add_edge("child", "last")
app = parent.compile()
