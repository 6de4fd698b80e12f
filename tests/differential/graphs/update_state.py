"""update_state: as a node, as the default one, as input, END, copies, errors."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int
    trail: Annotated[list, add]


def route(state: State):
    return "big" if state["n"] >= 10 else "small"


g = StateGraph(State)
g.add_node("start", lambda s: {"trail": ["start"]})
g.add_node("big", lambda s: {"trail": ["big"]})
g.add_node("small", lambda s: {"trail": ["small"]})
g.add_node("twin_a", lambda s: {"trail": ["twin_a"]})
g.add_node("twin_b", lambda s: {"trail": ["twin_b"]})
g.add_edge(START, "start")
g.add_conditional_edges("start", route, ["big", "small"])
g.add_edge("big", "twin_a")
g.add_edge("big", "twin_b")
g.add_edge("small", END)
app = g.compile()
