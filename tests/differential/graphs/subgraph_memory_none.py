"""checkpointer unset: the subgraph forgets from call to call, also within a loop."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Parent(TypedDict):
    say: str
    heard: list


class Child(TypedDict):
    say: str
    heard: Annotated[list, add]


child = StateGraph(Child)
child.add_node("listen", lambda s: {"heard": [s["say"]]})
child.add_edge(START, "listen")

forgets = child.compile()

parent = StateGraph(Parent)
parent.add_node("forgets", forgets)
parent.add_node("tidy", lambda s: {"say": "nothing"})
parent.add_edge(START, "forgets")
parent.add_edge("forgets", "tidy")
app = parent.compile()
