"""Bench shape: `count` Sends to one node in one superstep, then a join."""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send


class State(TypedDict):
    count: int
    results: Annotated[list[int], operator.add]
    total: int


def spread(state: State):
    return [Send("square", {"i": i}) for i in range(state["count"])]


def square(task: dict):
    return {"results": [task["i"] * task["i"]]}


def add_up(state: State):
    return {"total": sum(state["results"])}


graph = StateGraph(State)
graph.add_node("square", square)
graph.add_node("add_up", add_up)
graph.add_conditional_edges(START, spread, ["square"])
graph.add_edge("square", "add_up")
app = graph.compile()
