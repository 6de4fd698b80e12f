import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


class Overall(TypedDict):
    topics: list[str]
    summaries: Annotated[list[str], operator.add]
    best: str


class OneTopic(TypedDict):
    topic: str


def plan(state: Overall):
    return {"topics": ["a", "b", "c"]}


def fan_out(state: Overall):
    return [Send("summarise", {"topic": t}) for t in state["topics"]]


def summarise(state: OneTopic):
    return {"summaries": [state["topic"].upper()]}


def pick(state: Overall):
    return {"best": max(state["summaries"], key=len)}


app = (
    StateGraph(Overall)
    .add_node("plan", plan)
    .add_node("summarise", summarise)
    .add_node("pick", pick, defer=True)
    .add_edge(START, "plan")
    .add_conditional_edges("plan", fan_out, ["summarise"])
    .add_edge("summarise", "pick")
    .add_edge("pick", END)
    .compile()
)
