"""A join waits for all its sources, and again for all the next time round; two plain edges do not."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


def mark(name):
    def node(state: State):
        return {"trail": [name]}

    return node


b = StateGraph(State)
for name in ["short", "long_1", "long_2", "joined", "plain"]:
    b.add_node(name, mark(name))
b.add_edge(START, "short")
b.add_edge(START, "long_1")
b.add_edge("long_1", "long_2")
b.add_edge(["short", "long_2"], "joined")
b.add_edge("short", "plain")
b.add_edge("long_2", "plain")
b.add_conditional_edges("joined", lambda s: "again" if s["trail"].count("joined") < 2 else "stop", {"again": "short", "stop": END})
b.add_conditional_edges("plain", lambda s: "long_1" if s["trail"].count("long_1") < 2 else END)
app = b.compile()
