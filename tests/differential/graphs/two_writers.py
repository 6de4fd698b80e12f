"""Two parallel writers to a plain key are an error; the state stays at the step's start."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    value: str
    other: int


def left(state: State):
    return {"value": "left"}


def right(state: State):
    return {"value": "right"}


flow = StateGraph(State)
flow.add_node(left)
flow.add_node(right)
flow.add_edge(START, "left")
flow.add_edge(START, "right")
app = flow.compile()
