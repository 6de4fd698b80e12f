"""A function that streams a subgraph in several modes, and in the default one."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    n: int
    seen: Annotated[list, add]


class Inner(TypedDict):
    n: int
    trail: Annotated[list, add]


class InnerOut(TypedDict):
    n: int


def quiet(state: Inner):
    return None


inner = StateGraph(Inner, output_schema=InnerOut)
inner.add_node("one", lambda s: {"n": s["n"] + 1, "trail": ["one"]})
inner.add_node(quiet)
inner.add_node("two", lambda s: [{"trail": ["two"]}] and {"n": s["n"] * 2, "trail": ["two"]})
inner.add_edge(START, "one")
inner.add_edge("one", "quiet")
inner.add_edge("one", "two")
sub = inner.compile()


def default(state: State):
    return {"seen": [chunk for chunk in sub.stream({"n": state["n"]})]}


def values(state: State):
    return {"seen": list(sub.stream({"n": state["n"]}, stream_mode="values"))}


def both(state: State):
    seen = []
    for mode, chunk in sub.stream({"n": state["n"]}, stream_mode=["updates", "values"]):
        seen.append([mode, chunk])
    return {"seen": seen, "n": sub.invoke({"n": 10})["n"]}


app = StateGraph(State).add_sequence([default, values, both]).add_edge(START, "default").compile()
