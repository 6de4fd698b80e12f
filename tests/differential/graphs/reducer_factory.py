"""Reducers that a call makes."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


def keep_last(count: int):
    def reducer(left, right):
        return ((left or []) + right)[-count:]

    return reducer


def merged_by(factor):
    def reducer(left, right):
        return {**(left or {}), **{key: value * factor for key, value in right.items()}}

    return reducer


class State(TypedDict):
    recent: Annotated[list, keep_last(2)]
    more: Annotated[list, keep_last(count=3)]
    facts: Annotated[dict, merged_by(2)]


def start(state: State):
    return {"recent": ["s"], "more": ["s"], "facts": {"s": 1}}


def a(state: State):
    return {"recent": ["a"], "more": ["a"], "facts": {"a": 2}}


def b(state: State):
    return {"recent": ["b"], "more": ["b1", "b2"], "facts": {"s": 3}}


g = StateGraph(State)
g.add_node(start)
g.add_node(a)
g.add_node(b)
g.add_edge(START, "start")
g.add_edge("start", "a")
g.add_edge("start", "b")
app = g.compile()
