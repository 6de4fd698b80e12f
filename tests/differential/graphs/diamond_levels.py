"""Branches of different length: a plain node below runs once for each step in which a branch reaches it."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


def note(state: State, name: str):
    return {"log": [f"{name} after {len(state['log'])}"]}


g = StateGraph(State)
g.add_node("a", lambda s: note(s, "a"))
g.add_node("b1", lambda s: note(s, "b1"))
g.add_node("b2", lambda s: note(s, "b2"))
g.add_node("c", lambda s: note(s, "c"))
g.add_node("meet", lambda s: note(s, "meet"))
g.add_node("joined", lambda s: note(s, "joined"))
g.set_entry_point("a")
g.add_edge("a", "b1")
g.add_edge("b1", "b2")
g.add_edge("a", "c")
g.add_edge("b2", "meet")
g.add_edge("c", "meet")
g.add_edge(["b2", "c"], "joined")
g.add_edge("meet", END)
g.add_edge("joined", END)
app = g.compile()
