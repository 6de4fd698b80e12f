"""A deferred node waits until nothing else is pending, then runs once."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


def node(name):
    return lambda state: {"trail": [name]}


g = StateGraph(State)
g.add_node("a", node("a"))
g.add_node("b", node("b"))
g.add_node("b_2", node("b_2"))
g.add_node("c", node("c"))
g.add_node("collect", node("collect"), defer=True)
g.add_node("finish", node("finish"))
g.add_edge(START, "a")
g.add_edge("a", "b")
g.add_edge("a", "c")
g.add_edge("b", "b_2")
g.add_edge("b_2", "collect")
g.add_edge("c", "collect")
g.add_edge("collect", "finish")
g.add_edge("finish", END)
app = g.compile()
