"""Several questions in a node of a subgraph in a subgraph, beside a node that asks too."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


def deep(state: State):
    one = interrupt({"q": "one", "seen": len(state["log"])})
    two = interrupt({"q": "two", "after": one})
    return {"log": [f"deep {one} {two}"]}


def shallow(state: State):
    return {"log": [f"shallow {interrupt('shallow?')}"]}


def ask_again(state: State):
    return {"log": [f"again {interrupt('again?')}"]}


inner = StateGraph(State).add_node(deep).add_node(ask_again).add_edge(START, "deep").add_edge("deep", "ask_again").compile()
mid = StateGraph(State).add_node("inner", inner).add_node("quick", lambda s: {"log": ["quick"]}).add_edge(START, "inner").add_edge(START, "quick").compile()
top = StateGraph(State).add_node("mid", mid).add_node(shallow).add_node("end", lambda s: {"log": ["end"]})
top.add_edge(START, "mid")
top.add_edge(START, "shallow")
top.add_edge(["mid", "shallow"], "end")
app = top.compile()
