"""A subgraph invoked inside a function: on resume the function starts again, the subgraph goes on."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class Outer(TypedDict):
    question: str
    log: Annotated[list, add]


class Inner(TypedDict):
    topic: str
    notes: Annotated[list, add]


def look_up(state: Inner):
    return {"notes": [f"looked up {state['topic']}"]}


def ask(state: Inner):
    return {"notes": [interrupt({"topic": state["topic"]})]}


inner = StateGraph(Inner).add_sequence([look_up, ask]).add_edge(START, "look_up").compile()


def research(state: Outer):
    first = interrupt("before the subgraph")
    result = inner.invoke({"topic": state["question"] + first, "notes": []})
    return {"log": result["notes"]}


app = StateGraph(Outer).add_node(research).add_edge(START, "research").compile()
