"""Subgraphs of all three modes invoked inside a function, more than once in one task."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Outer(TypedDict):
    say: str
    results: list


class Inner(TypedDict):
    say: str
    heard: Annotated[list, add]


builder = StateGraph(Inner)
builder.add_node("listen", lambda s: {"heard": [s["say"]]})
builder.add_edge(START, "listen")
inherits = builder.compile()
remembers = builder.compile(checkpointer=True)
saves_nothing = builder.compile(checkpointer=False)


def use_inherits(state: Outer):
    first = inherits.invoke({"say": state["say"] + " 1"})
    second = inherits.invoke({"say": state["say"] + " 2"})
    return {"results": [first["heard"], second["heard"]]}


def use_remembers(state: Outer):
    return {"results": state["results"] + [remembers.invoke({"say": state["say"]})["heard"]]}


def use_nothing(state: Outer):
    first = saves_nothing.invoke({"say": "x"})
    second = saves_nothing.invoke({"say": "y"})
    return {"results": state["results"] + [first["heard"] + second["heard"]]}


outer = StateGraph(Outer)
outer.add_node(use_inherits)
outer.add_node(use_remembers)
outer.add_node(use_nothing)
outer.add_edge(START, "use_inherits")
outer.add_edge("use_inherits", "use_remembers")
outer.add_edge("use_remembers", "use_nothing")
app = outer.compile()
