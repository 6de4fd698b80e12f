"""A subgraph as a node shares keys by name; its private keys stay inside; schemas limit what goes in and out."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Parent(TypedDict):
    text: str
    log: Annotated[list, add]
    private: str


class Child(TypedDict):
    text: str
    log: Annotated[list, add]
    scratch: int


class ChildOutput(TypedDict):
    text: str


def count(state: Child):
    return {"scratch": len(state["text"]), "log": ["count"]}


def shout(state: Child):
    return {"text": state["text"].upper() + "!" * state["scratch"], "log": [f"saw {sorted(state)}"]}


whole = StateGraph(Child).add_sequence([count, shout]).add_edge(START, "count").compile()
narrow = StateGraph(Child, output_schema=ChildOutput).add_sequence([count, shout]).add_edge(START, "count").compile()

builder = StateGraph(Parent)
builder.add_node("narrow", narrow)
builder.add_node("whole", whole)
builder.add_edge(START, "narrow")
builder.add_edge("narrow", "whole")
app = builder.compile()
