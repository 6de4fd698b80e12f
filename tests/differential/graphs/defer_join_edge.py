"""A deferred target of a join, and a deferred node after Sends and a loop."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send


class State(TypedDict):
    n: Annotated[int, add]
    trail: Annotated[list, add]


def work(state):
    return {"trail": [f"work {state['item']}"], "n": 1}


def loop(state: State):
    return {"trail": ["loop"], "n": 1}


b = StateGraph(State)
b.add_node("plan", lambda s: {"trail": ["plan"]})
b.add_node("work", work)
b.add_node("loop", loop)
b.add_node("joined", lambda s: {"trail": ["joined"]}, defer=True)
b.add_node("report", lambda s: {"trail": [f"report {s['n']}"]}, defer=True)
b.add_edge(START, "plan")
b.add_conditional_edges("plan", lambda s: [Send("work", {"item": i}) for i in range(3)])
b.add_edge("plan", "loop")
b.add_conditional_edges("loop", lambda s: "loop" if s["n"] < 6 else "report")
b.add_edge("work", "report")
b.add_edge(["plan", "loop"], "joined")
app = b.compile()
