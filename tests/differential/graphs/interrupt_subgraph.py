"""An interrupt in a subgraph used as a node, with steps before and after it."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


class Inner(TypedDict):
    log: Annotated[list, add]
    secret: str


def inner_first(state: Inner):
    return {"log": ["inner_first"], "secret": "kept"}


def inner_ask(state: Inner):
    answer = interrupt(f"inner asks, secret {state['secret']}")
    return {"log": [f"inner got {answer}"]}


inner = StateGraph(Inner)
inner.add_node(inner_first)
inner.add_node(inner_ask)
inner.add_edge(START, "inner_first")
inner.add_edge("inner_first", "inner_ask")
inner.add_edge("inner_ask", END)

outer = StateGraph(State)
outer.add_node("before", lambda s: {"log": ["before"]})
outer.add_node("sub", inner.compile())
outer.add_node("after", lambda s: {"log": ["after"]})
outer.add_edge(START, "before")
outer.add_edge("before", "sub")
outer.add_edge("sub", "after")
app = outer.compile()
