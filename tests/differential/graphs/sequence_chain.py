"""add_sequence with functions and (name, function) pairs; chaining; None and empty updates."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import StateGraph


class State(TypedDict):
    trail: Annotated[list, add]
    flag: bool


def alpha(state: State):
    return {"trail": ["alpha"]}


def nothing(state: State):
    pass


def empty(state: State):
    return {}


app = (
    StateGraph(State)
    .add_sequence([alpha, ("renamed", lambda s: {"trail": ["renamed"], "flag": True}), nothing, ("empty", empty)])
    .set_entry_point("alpha")
    .set_finish_point("empty")
    .compile(name="chain")
)
