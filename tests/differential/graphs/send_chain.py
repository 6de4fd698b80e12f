"""Sends from Sends: each task may send on; a Send to an unknown node."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send


class State(TypedDict):
    out: Annotated[list, add]


def split(state):
    depth, name = state.get("depth", 0), state.get("name", "r")
    if depth == 2:
        return {"out": [name]}
    return Command(
        update={"out": [f"split {name}"]},
        goto=[Send("split", {"depth": depth + 1, "name": name + side}) for side in "ab"],
    )


g = StateGraph(State)
g.add_node("split", split)
g.add_edge(START, "split")
app = g.compile()
