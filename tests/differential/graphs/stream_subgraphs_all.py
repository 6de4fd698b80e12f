"""All stream modes of nested subgraphs, one as a node and one invoked in a function."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


class Other(TypedDict):
    n: int


def leaf(state: State):
    get_stream_writer()({"leaf": len(state["log"])})
    return {"log": ["leaf"]}


def double(state: Other):
    get_stream_writer()("doubling")
    return {"n": state["n"] * 2}


def call(state: State):
    found = other.invoke({"n": len(state["log"])})
    return {"log": [f"call {found['n']}"]}


other = StateGraph(Other).add_node(double).add_edge(START, "double").compile()
inner = StateGraph(State).add_node(leaf).add_node("twig", lambda s: {"log": ["twig"]}).add_edge(START, "leaf").add_edge("leaf", "twig").compile()
mid = StateGraph(State).add_node("inner", inner).add_node(call).add_edge(START, "inner").add_edge("inner", "call").compile()
app = StateGraph(State).add_node("mid", mid).add_node("last", lambda s: {"log": ["last"]}).add_edge(START, "mid").add_edge("mid", "last").compile()
