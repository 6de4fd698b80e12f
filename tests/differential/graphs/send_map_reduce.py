"""Map-reduce: one Send per subject, each with its own input; results in the order of emission."""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


class Overall(TypedDict):
    subjects: list[str]
    jokes: Annotated[list[str], operator.add]
    best: str


class One(TypedDict):
    subject: str


def fan_out(state: Overall):
    return [Send("joke", {"subject": subject}) for subject in state["subjects"]]


def joke(state: One):
    return {"jokes": [f"a joke about {state['subject']} with keys {sorted(state)}"]}


def choose(state: Overall):
    return {"best": max(state["jokes"], key=len)}


builder = StateGraph(Overall)
builder.add_node("joke", joke)
builder.add_node("choose", choose)
builder.add_conditional_edges(START, fan_out, ["joke"])
builder.add_edge("joke", "choose")
builder.add_edge("choose", END)
app = builder.compile()
