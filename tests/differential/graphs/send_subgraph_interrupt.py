"""Sends to a subgraph whose nodes ask: two questions in each, answered one by one and by id."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt


class Item(TypedDict):
    name: str
    done: Annotated[list, add]


class State(TypedDict):
    names: list
    done: Annotated[list, add]


def first(state: Item):
    return {"done": [f"{state['name']} first {interrupt(state['name'] + ' 1?')}"]}


def second(state: Item):
    return {"done": [f"{state['name']} second {interrupt(state['name'] + ' 2?')}"]}


sub = StateGraph(Item).add_sequence([first, second]).add_edge(START, "first").compile()


def spread(state: State):
    return [Send("work", {"name": name, "done": []}) for name in state["names"]]


g = StateGraph(State)
g.add_node("work", sub)
g.add_node("end", lambda s: {"done": [f"end of {len(s['done'])}"]})
g.add_conditional_edges(START, spread, ["work"])
g.add_edge("work", "end")
app = g.compile()
