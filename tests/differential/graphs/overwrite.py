"""Overwrite bypasses a reducer; other writes of the same step do not come through."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Overwrite


class State(TypedDict):
    items: Annotated[list, add]
    mode: str


def fill(state: State):
    return {"items": ["fill"]}


def reset(state: State):
    return {"items": Overwrite(["reset"])}


def also(state: State):
    if state["mode"] == "clash":
        return {"items": Overwrite(["also"])}
    return {"items": ["also"]}


def last(state: State):
    return {"items": ["last"]}


builder = StateGraph(State)
builder.add_node("fill", fill)
builder.add_node("reset", reset)
builder.add_node("also", also)
builder.add_node("last", last)
builder.add_edge(START, "fill")
builder.add_edge("fill", "reset")
builder.add_edge("fill", "also")
builder.add_edge(["reset", "also"], "last")
app = builder.compile()
