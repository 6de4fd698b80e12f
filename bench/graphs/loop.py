"""Bench shape: one node that loops `limit` times."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int
    limit: int


def step(state: State):
    return {"n": state["n"] + 1}


def route(state: State):
    return "step" if state["n"] < state["limit"] else "__end__"


graph = StateGraph(State)
graph.add_node("step", step)
graph.add_edge(START, "step")
graph.add_conditional_edges("step", route, ["step", "__end__"])
app = graph.compile()
