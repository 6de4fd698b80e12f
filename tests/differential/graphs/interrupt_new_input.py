"""New input on a thread that waits drops the waiting task; resuming a finished thread does nothing."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def ask(state: State):
    return {"log": [f"answer {interrupt(len(state['log']))}"]}


def side(state: State):
    return {"log": ["side"]}


g = StateGraph(State)
g.add_node("ask", ask)
g.add_node("side", side)
g.add_edge(START, "ask")
g.add_edge(START, "side")
app = g.compile()
