"""Edits inside a waiting subgraph, as a node of it, two levels deep."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]
    go: str


def ask(state: State):
    return {"log": [f"asked: {interrupt('well?')}"]}


inner = StateGraph(State)
inner.add_node("prepare", lambda s: {"log": ["prepare"]})
inner.add_node("ask", ask)
inner.add_node("left", lambda s: {"log": ["left"]})
inner.add_node("right", lambda s: {"log": ["right"]})
inner.add_edge(START, "prepare")
inner.add_edge("prepare", "ask")
inner.add_conditional_edges("ask", lambda s: s["go"], ["left", "right"])

mid = StateGraph(State).add_node("inner", inner.compile()).add_node("post", lambda s: {"log": ["post"]}).add_edge(START, "inner").add_edge("inner", "post").compile()

top = StateGraph(State)
top.add_node("mid", mid)
top.add_node("end", lambda s: {"log": ["end"]})
top.add_edge(START, "mid")
top.add_edge("mid", "end")
app = top.compile()
