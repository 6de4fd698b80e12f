"""Parallel interrupts: a bare resume is ambiguous; maps may answer some; siblings' writes are kept."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def ask_a(state: State):
    return {"log": [f"a: {interrupt('a?')}"]}


def ask_b(state: State):
    return {"log": [f"b: {interrupt('b?')}"]}


def quick(state: State):
    return {"log": ["quick"]}


def after(state: State):
    return {"log": ["after"]}


g = StateGraph(State)
g.add_node("ask_a", ask_a)
g.add_node("ask_b", ask_b)
g.add_node("quick", quick)
g.add_node("after", after)
for name in ["ask_a", "ask_b", "quick"]:
    g.add_edge(START, name)
g.add_edge(["ask_a", "ask_b", "quick"], "after")
app = g.compile()
