"""A deferred node beside a loop: it waits until the loop is over; and a deferred node that starts work again."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int
    rounds: int
    log: Annotated[list, add]


g = StateGraph(State)
g.add_node("start", lambda s: {"log": ["start"]})
g.add_node("loop", lambda s: {"n": s["n"] + 1, "log": [f"loop {s['n']}"]})
g.add_node("side", lambda s: {"log": ["side"]})
g.add_node("gather", lambda s: {"rounds": s["rounds"] + 1, "n": 0, "log": [f"gather {s['n']} {s['rounds']}"]}, defer=True)
g.add_node("also", lambda s: {"log": ["also"]}, defer=True)
g.add_edge(START, "start")
g.add_edge("start", "loop")
g.add_edge("start", "side")
g.add_conditional_edges("loop", lambda s: "loop" if s["n"] < 3 else "gather", ["loop", "gather"])
g.add_edge("side", "gather")
g.add_edge("side", "also")
g.add_conditional_edges("gather", lambda s: "start" if s["rounds"] < 2 else END, ["start", END])
app = g.compile()
