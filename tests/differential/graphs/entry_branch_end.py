"""Entry by a branch that may end at once, an edge from START beside it, END from one of two branches."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    go: str
    log: Annotated[list, add]


def gate(state: State):
    return END if state["go"] == "stop" else "work"


b = StateGraph(State)
b.add_node("work", lambda s: {"log": ["work"]})
b.add_node("always", lambda s: {"log": ["always"]})
b.add_node("tail", lambda s: {"log": ["tail"]})
b.add_conditional_edges(START, gate, {"work": "work", END: END})
b.add_edge(START, "always")
b.add_edge("work", END)
b.add_edge("always", "tail")
app = b.compile()
