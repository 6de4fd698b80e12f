"""durability="exit" keeps only the last checkpoint; interrupts do persist."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]
    ask: bool


def a(state: State):
    return {"log": ["a"]}


def b(state: State):
    return {"log": [f"b {interrupt('b?')}" if state["ask"] else "b"]}


def c(state: State):
    return {"log": ["c"]}


app = StateGraph(State).add_sequence([a, b, c]).add_edge(START, "a").compile()
