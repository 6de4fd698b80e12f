"""A function that streams a subgraph and gives its chunks to the writer."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import StreamWriter


class State(TypedDict):
    n: int
    chunks: list


class Inner(TypedDict):
    n: int


inner = StateGraph(Inner)
inner.add_node("one", lambda s: {"n": s["n"] + 1})
inner.add_node("two", lambda s: {"n": s["n"] * 2})
inner.add_edge(START, "one")
inner.add_edge("one", "two")
sub = inner.compile()


def watch(state: State, writer: StreamWriter):
    chunks = []
    for chunk in sub.stream({"n": state["n"]}, stream_mode="updates"):
        writer(chunk)
        chunks.append(chunk)
    return {"chunks": chunks}


app = StateGraph(State).add_node("watch", watch).add_edge(START, "watch").compile()
