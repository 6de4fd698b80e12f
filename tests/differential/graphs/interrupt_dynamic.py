"""interrupt(): the node restarts from its top on resume."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt


class State(TypedDict):
    text: str
    log: Annotated[list, add]


def prepare(state: State):
    return {"log": ["prepare"]}


def approve(state: State) -> Command:
    answer = interrupt({"question": "publish?", "text": state["text"]})
    if answer == "yes":
        return Command(goto="publish", update={"log": [f"approved with {answer}"]})
    return Command(goto="reject", update={"log": [f"rejected with {answer}"]})


def publish(state: State):
    return {"log": ["publish"]}


def reject(state: State):
    return {"log": ["reject"]}


builder = StateGraph(State)
builder.add_node(prepare)
builder.add_node(approve, destinations=("publish", "reject"))
builder.add_node(publish)
builder.add_node(reject)
builder.add_edge(START, "prepare")
builder.add_edge("prepare", "approve")
app = builder.compile()
