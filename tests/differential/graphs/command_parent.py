"""Command.PARENT leaves the subgraph: the parent applies update and goto, with its own reducers."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command


class Parent(TypedDict):
    shared: Annotated[list, add]
    verdict: str


class Child(TypedDict):
    shared: list


def think(state: Child):
    return {"shared": ["think (child only)"]}


def escape(state: Child):
    return Command(graph=Command.PARENT, update={"shared": ["from child"], "verdict": "escaped"}, goto="chosen")


def never(state: Child):
    return {"shared": ["never"]}


child = StateGraph(Child)
child.add_node("think", think)
child.add_node("escape", escape)
child.add_node("never", never)
child.add_edge(START, "think")
child.add_edge("think", "escape")
child.add_edge("escape", "never")

parent = StateGraph(Parent)
parent.add_node("child", child.compile())
parent.add_node("chosen", lambda s: {"shared": ["chosen"]})
parent.add_node("edge", lambda s: {"shared": ["edge"]})
parent.add_edge(START, "child")
parent.add_edge("child", "edge")
app = parent.compile()
