"""checkpointer=False: nothing of the subgraph is saved; it runs from its start when the parent's node runs again."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    say: str
    log: Annotated[list, add]


child = StateGraph(State)
child.add_node("one", lambda s: {"log": [f"one {s['say']}"]})
child.add_node("two", lambda s: {"log": [f"two {s['say']}"]})
child.add_edge(START, "one")
child.add_edge("one", "two")

parent = StateGraph(State)
parent.add_node("child", child.compile(checkpointer=False))
parent.add_node("last", lambda s: {"log": [len(s["log"])]})
parent.add_edge(START, "child")
parent.add_edge("child", "last")
app = parent.compile()
