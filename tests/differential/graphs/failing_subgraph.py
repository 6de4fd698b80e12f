"""A node of a subgraph fails; continuing goes on inside the subgraph."""

from operator import add
from typing import Annotated, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


def one(state: State, config: RunnableConfig):
    return {"log": [f"one in attempt {config['configurable']['attempt']}"]}


def two(state: State, config: RunnableConfig):
    if config["configurable"]["attempt"] == 1:
        raise RuntimeError("first time")
    return {"log": [f"two in attempt {config['configurable']['attempt']}"]}


child = StateGraph(State).add_sequence([one, two]).add_edge(START, "one").compile()
app = StateGraph(State).add_node("child", child).add_edge(START, "child").compile()
