"""Namespaces of nested subgraphs in streams."""

from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int


def add_one(state: State):
    get_stream_writer()(f"at {state['n']}")
    return {"n": state["n"] + 1}


inner = StateGraph(State).add_node("inc", add_one).add_edge(START, "inc").compile()
middle = StateGraph(State).add_node("inner", inner).add_node("inc", add_one).add_edge(START, "inner").add_edge("inner", "inc").compile()
app = StateGraph(State).add_node("middle", middle).add_node("inc", add_one).add_edge(START, "middle").add_edge("middle", "inc").compile()
