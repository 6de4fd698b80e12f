"""Writes of one superstep are folded in the order of task names, not of completion."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list[str], add]
    total: Annotated[int, add]


def zebra(state: State):
    return {"trail": ["zebra"], "total": 1}


def ant(state: State):
    return {"trail": ["ant"], "total": 10}


def mole(state: State):
    return {"trail": ["mole"], "total": 100}


builder = StateGraph(State)
for name, fn in [("zebra", zebra), ("ant", ant), ("mole", mole)]:
    builder.add_node(name, fn)
    builder.add_edge(START, name)
    builder.add_edge(name, END)
app = builder.compile()
