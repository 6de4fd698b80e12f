"""Channels written out: a topic, an ephemeral value, one that takes any of equal writes, one that is never saved."""

from typing import Annotated, TypedDict

from langgraph.channels import AnyValue, EphemeralValue, Topic, UntrackedValue
from langgraph.graph import START, StateGraph


class State(TypedDict):
    events: Annotated[list, Topic(str)]
    log: Annotated[list, Topic(str, accumulate=True)]
    hint: Annotated[str, EphemeralValue(str)]
    same: Annotated[str, AnyValue(str)]
    scratch: Annotated[str, UntrackedValue(str)]
    seen: dict


def left(state):
    return {"events": "l", "log": "l", "same": "equal", "hint": "from left", "scratch": "not saved"}


def right(state):
    return {"events": ["r1", "r2"], "log": ["r1", "r2"], "same": "equal"}


def look(state):
    return {"seen": {key: state.get(key) for key in ["events", "log", "hint", "same", "scratch"]}, "log": "look"}


def look_again(state):
    return {"seen": {key: state.get(key) for key in ["events", "log", "hint", "same", "scratch"]}}


g = StateGraph(State)
g.add_node(left)
g.add_node(right)
g.add_node(look)
g.add_node(look_again)
g.add_edge(START, "left")
g.add_edge(START, "right")
g.add_edge(["left", "right"], "look")
g.add_edge("look", "look_again")
app = g.compile()
