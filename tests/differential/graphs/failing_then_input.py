"""A failed thread: the state stays at the step's start; new input starts over; update_state mends it."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int
    result: float


def prepare(state: State):
    return {"n": state["n"] - 1}


def divide(state: State):
    return {"result": 12 / state["n"]}


b = StateGraph(State)
b.add_node("prepare", prepare)
b.add_node("divide", divide)
b.add_edge(START, "prepare")
b.add_edge("prepare", "divide")
app = b.compile()
