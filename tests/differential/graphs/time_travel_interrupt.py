"""Replaying from before an interrupt asks again; the old answer is not used."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def first(state: State):
    return {"log": ["first"]}


def ask(state: State):
    return {"log": [f"answer {interrupt('go on?')}"]}


def last(state: State):
    return {"log": ["last"]}


app = StateGraph(State).add_sequence([first, ask, last]).add_edge(START, "first").compile()
