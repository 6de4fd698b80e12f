"""Two conditional edges and a plain edge from one node all fire; the same target runs once."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


def always_x(state):
    return "x"


def x_or_y(state):
    return ["x", "y"]


g = StateGraph(State)
g.add_node("root", lambda s: None)
g.add_node("x", lambda s: {"trail": ["x"]})
g.add_node("y", lambda s: {"trail": ["y"]})
g.add_node("z", lambda s: {"trail": ["z"]})
g.add_edge(START, "root")
g.add_conditional_edges("root", always_x)
g.add_conditional_edges("root", x_or_y)
g.add_edge("root", "z")
app = g.compile()
