"""Going back into a subgraph: replay from one of its checkpoints, and an edited fork inside it."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def one(state: State):
    return {"log": ["one"]}


def two(state: State):
    return {"log": [f"two {interrupt('two?')}"]}


def three(state: State):
    return {"log": ["three"]}


child = StateGraph(State)
child.add_sequence([one, two, three])
child.add_edge(START, "one")

parent = StateGraph(State)
parent.add_node("before", lambda s: {"log": ["before"]})
parent.add_node("child", child.compile())
parent.add_node("after", lambda s: {"log": ["after"]})
parent.add_edge(START, "before")
parent.add_edge("before", "child")
parent.add_edge("child", "after")
app = parent.compile()
