"""A delta channel: its reducer gets all writes of a step at once; the history stays readable."""

from typing import Annotated, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph


def extend(items: list, writes: list) -> list:
    return items + [item for write in writes for item in write]


class State(TypedDict):
    items: Annotated[list, DeltaChannel(extend, snapshot_frequency=2)]
    n: int


g = StateGraph(State)
g.add_node("a", lambda s: {"items": ["a"]})
g.add_node("b", lambda s: {"items": ["b1", "b2"]})
g.add_node("c", lambda s: {"items": [len(s["items"])], "n": s["n"] + 1})
g.add_edge(START, "a")
g.add_edge(START, "b")
g.add_edge(["a", "b"], "c")
g.add_conditional_edges("c", lambda s: "c" if s["n"] < 4 else "__end__")
app = g.compile()
