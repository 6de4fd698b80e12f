"""Many Sends with a reducer that shows the order, twice on one thread."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send


def append(left: list, right: list) -> list:
    return left + [[len(left), item] for item in right]


class State(TypedDict):
    count: int
    out: Annotated[list, append]


b = StateGraph(State)
b.add_node("each", lambda s: {"out": [s["i"] * s["i"]]})
b.add_conditional_edges(START, lambda s: [Send("each", {"i": i}) for i in range(s["count"], 0, -1)], ["each"])
app = b.compile()
