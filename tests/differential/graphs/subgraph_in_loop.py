"""A subgraph node that a loop runs several times in one run: it starts afresh, or remembers with checkpointer=True."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Child(TypedDict):
    n: int
    seen: Annotated[list, add]


class Parent(TypedDict):
    n: int
    fresh_seen: list
    kept_seen: list


child = StateGraph(Child)
child.add_node("look", lambda s: {"seen": [s["n"]]})
child.add_edge(START, "look")
fresh = child.compile()
kept = child.compile(checkpointer=True)


def use_fresh(state: Parent):
    return {"fresh_seen": fresh.invoke({"n": state["n"]})["seen"]}


def use_kept(state: Parent):
    return {"kept_seen": kept.invoke({"n": state["n"]})["seen"], "n": state["n"] + 1}


parent = StateGraph(Parent)
parent.add_sequence([use_fresh, use_kept])
parent.add_edge(START, "use_fresh")
parent.add_conditional_edges("use_kept", lambda s: "use_fresh" if s["n"] < 3 else "__end__")
app = parent.compile()
