"""Command.PARENT two levels deep goes to the nearest parent; Sends may go to the parent too."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send


class State(TypedDict):
    log: Annotated[list, add]


def leave(state: State):
    return Command(graph=Command.PARENT, goto="landing", update={"log": ["left the inner"]})


def landing(state: State):
    return Command(graph=Command.PARENT, goto=[Send("worker", {"item": 1}), Send("worker", {"item": 2}), "last"])


inner = StateGraph(State)
inner.add_node("leave", leave)
inner.add_edge(START, "leave")

middle = StateGraph(State)
middle.add_node("inner", inner.compile())
middle.add_node("landing", landing)
middle.add_edge(START, "inner")

outer = StateGraph(State)
outer.add_node("middle", middle.compile())
outer.add_node("worker", lambda s: {"log": [f"worker {s['item']}"]})
outer.add_node("last", lambda s: {"log": ["last"]})
outer.add_edge(START, "middle")
app = outer.compile()
