"""Reducers of many kinds: operator functions, lambdas, a function of the file."""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


def keep_unique(old: list, new: list) -> list:
    return old + [item for item in new if item not in old]


def merge(old: dict, new: dict) -> dict:
    return {**old, **new}


class State(TypedDict):
    total: Annotated[int, operator.add]
    text: Annotated[str, operator.add]
    best: Annotated[int, lambda old, new: max(old, new)]
    flags: Annotated[dict, operator.or_]
    merged: Annotated[dict, merge]
    unique: Annotated[list, keep_unique]
    longest: Annotated[str, lambda a, b: b if len(b) > len(a) else a]
    product: Annotated[float, operator.mul]
    tags: Annotated[set, operator.or_]


def one(state: State):
    return {
        "total": 1, "text": "a", "best": 5, "flags": {"x": 1}, "merged": {"k": "one"},
        "unique": [1, 2], "longest": "short", "product": 2.0, "tags": {"red", "blue"},
    }


def two(state: State):
    return {
        "total": 2, "text": "b", "best": 3, "flags": {"y": 2}, "merged": {"k": "two"},
        "unique": [2, 3], "longest": "much longer", "product": 3.0, "tags": {"green"},
    }


def three(state: State):
    return {"total": 3, "text": "c", "best": 4, "flags": {"x": 9}, "unique": [3, 4], "longest": "mid one"}


b = StateGraph(State)
b.add_node("one", one)
b.add_node("two", two)
b.add_node("three", three)
b.add_edge(START, "one")
b.add_edge(START, "two")
b.add_edge("one", "three")
b.add_edge("two", "three")
b.add_edge("three", END)
app = b.compile()
