"""checkpointer=True: the subgraph remembers from call to call of the thread."""

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

remembers = child.compile(checkpointer=True)

parent = StateGraph(Parent)
parent.add_node("remembers", remembers)
parent.add_node("tidy", lambda s: {"say": "nothing"})
parent.add_edge(START, "remembers")
parent.add_edge("remembers", "tidy")
app = parent.compile()
