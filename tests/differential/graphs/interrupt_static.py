"""Static interrupts before and after nodes, from compile() and from invoke."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    trail: Annotated[list, add]


g = StateGraph(State)
g.add_node("draft", lambda s: {"trail": ["draft"]})
g.add_node("review", lambda s: {"trail": ["review"]})
g.add_node("publish", lambda s: {"trail": ["publish"]})
g.add_edge(START, "draft")
g.add_edge("draft", "review")
g.add_edge("review", "publish")
g.add_edge("publish", END)
app = g.compile(interrupt_before=["review"], interrupt_after=["publish"])
