"""A join waits for all its sources, and again for all the next time round; two plain edges do not."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


b = StateGraph(State)
b.add_node("short", lambda s: {"trail": ["short"]})
b.add_node("long_1", lambda s: {"trail": ["long_1"]})
b.add_node("long_2", lambda s: {"trail": ["long_2"]})
b.add_node("joined", lambda s: {"trail": ["joined"]})
b.add_node("plain", lambda s: {"trail": ["plain"]})
b.add_edge(START, "short")
b.add_edge(START, "long_1")
b.add_edge("long_1", "long_2")
b.add_edge(["short", "long_2"], "joined")
b.add_edge("short", "plain")
b.add_edge("long_2", "plain")
b.add_conditional_edges("joined", lambda s: "again" if s["trail"].count("joined") < 2 else "stop", {"again": "short", "stop": END})
b.add_conditional_edges("plain", lambda s: "long_1" if s["trail"].count("long_1") < 2 else END)
app = b.compile()
