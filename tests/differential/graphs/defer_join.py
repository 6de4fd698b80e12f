"""A deferred node waits until nothing else is pending, then runs once."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


g = StateGraph(State)
g.add_node("a", lambda state: {"trail": ["a"]})
g.add_node("b", lambda state: {"trail": ["b"]})
g.add_node("b_2", lambda state: {"trail": ["b_2"]})
g.add_node("c", lambda state: {"trail": ["c"]})
g.add_node("collect", lambda state: {"trail": ["collect"]}, defer=True)
g.add_node("finish", lambda state: {"trail": ["finish"]})
g.add_edge(START, "a")
g.add_edge("a", "b")
g.add_edge("a", "c")
g.add_edge("b", "b_2")
g.add_edge("b_2", "collect")
g.add_edge("c", "collect")
g.add_edge("collect", "finish")
g.add_edge("finish", END)
app = g.compile()
