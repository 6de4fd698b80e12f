"""The recursion limit counts steps per invoke and strikes even when no work is left."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class Counter(TypedDict):
    n: int


def up(state: Counter):
    return {"n": state["n"] + 1}


b = StateGraph(Counter)
b.add_node("up", up)
b.add_edge(START, "up")
b.add_conditional_edges("up", lambda s: "up" if s["n"] < 5 else "__end__")
app = b.compile()
