"""Interrupts two subgraphs deep, and in the middle one too."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def ask(label: str):
    return {"log": [f"{label}: {interrupt(label)}"]}


def deep_ask(state: State):
    return ask("deep")


def middle_ask(state: State):
    return ask("middle")


def top_ask(state: State):
    return ask("top")


deep = StateGraph(State)
deep.add_node("deep_ask", deep_ask)
deep.add_edge(START, "deep_ask")

middle = StateGraph(State)
middle.add_node("middle_ask", middle_ask)
middle.add_node("deep", deep.compile())
middle.add_edge(START, "middle_ask")
middle.add_edge("middle_ask", "deep")

top = StateGraph(State)
top.add_node("middle", middle.compile())
top.add_node("top_ask", top_ask)
top.add_edge(START, "middle")
top.add_edge("middle", "top_ask")
app = top.compile()
