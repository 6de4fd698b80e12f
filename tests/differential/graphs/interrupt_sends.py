"""Interrupts in several Sends of one node."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt


class State(TypedDict):
    items: list
    done: Annotated[list, add]


def check(state):
    if state["item"] == "skip":
        return {"done": ["skipped"]}
    return {"done": [f"{state['item']}={interrupt({'item': state['item']})}"]}


g = StateGraph(State)
g.add_node("check", check)
g.add_node("sum_up", lambda s: {"done": [len(s["done"])]})
g.add_conditional_edges(START, lambda s: [Send("check", {"item": item}) for item in s["items"]], ["check"])
g.add_edge("check", "sum_up")
app = g.compile()
