"""State edited while a static interrupt waits: the interrupt fires once per new version."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    plan: str
    done: str


b = StateGraph(State)
b.add_node("plan", lambda s: {"plan": "first plan"})
b.add_node("act", lambda s: {"done": f"did: {s['plan']}"})
b.add_edge(START, "plan")
b.add_edge("plan", "act")
app = b.compile()
