"""A routing function sees its own task's writes but not its siblings'."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    score: int
    log: Annotated[list[str], add]


def grade(state: State):
    return {"score": state["score"] + 50, "log": ["grade"]}


def noise(state: State):
    return {"log": ["noise"]}


def route(state: State):
    saw_noise = "noise" in state["log"]
    return "high" if state["score"] >= 60 and not saw_noise else "low"


def high(state: State):
    return {"log": [f"high {state['log']}"]}


def low(state: State):
    return {"log": [f"low {state['log']}"]}


g = StateGraph(State)
g.add_node("grade", grade)
g.add_node("noise", noise)
g.add_node("high", high)
g.add_node("low", low)
g.add_edge(START, "grade")
g.add_edge(START, "noise")
g.add_conditional_edges("grade", route)
g.add_edge("high", END)
g.add_edge("low", END)
app = g.compile()
