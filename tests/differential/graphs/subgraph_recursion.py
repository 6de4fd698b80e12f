"""The recursion limit inside a subgraph, which counts its own steps."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int


child = StateGraph(State)
child.add_node("up", lambda s: {"n": s["n"] + 1})
child.add_edge(START, "up")
child.add_conditional_edges("up", lambda s: "up" if s["n"] % 4 else "__end__")

parent = StateGraph(State)
parent.add_node("child", child.compile())
parent.add_node("plus", lambda s: {"n": s["n"] + 1})
parent.add_edge(START, "child")
parent.add_edge("child", "plus")
parent.add_conditional_edges("plus", lambda s: "child" if s["n"] < 10 else "__end__")
app = parent.compile()
