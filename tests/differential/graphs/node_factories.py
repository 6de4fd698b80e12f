"""Node functions made by a factory, a partial, a lambda with a default, and in a loop over names."""

from functools import partial
from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


def mark(name):
    def node(state: State):
        return {"trail": [f"{name} {len(state['trail'])}"]}

    return node


def labelled(state: State, label: str):
    return {"trail": [label]}


g = StateGraph(State)
for name in ["first", "second"]:
    g.add_node(name, mark(name))
g.add_node("third", partial(labelled, label="third"))
for name in ["fourth", "fifth"]:
    g.add_node(name, lambda state, name=name: {"trail": [name]})
g.add_edge(START, "first")
for source, target in zip(["first", "second", "third", "fourth"], ["second", "third", "fourth", "fifth"]):
    g.add_edge(source, target)
app = g.compile()
