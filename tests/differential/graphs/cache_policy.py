"""CachePolicy: a hit replays the saved writes; the key is the input, or what key_func makes of it."""

from operator import add
from typing import Annotated, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import CachePolicy


class State(TypedDict):
    x: int
    noise: str
    log: Annotated[list, add]


class Only(TypedDict):
    x: int


def run_number(config: RunnableConfig):
    return config["configurable"]["run"]


def by_input(state: Only, config: RunnableConfig):
    return {"log": [f"by_input {state['x']} run {run_number(config)}"]}


def by_key(state: State, config: RunnableConfig):
    return {"log": [f"by_key {state['x']} run {run_number(config)}"]}


def never(state: State, config: RunnableConfig):
    return {"log": [f"never cached, run {run_number(config)}"]}


b = StateGraph(State)
b.add_node("by_input", by_input, cache_policy=CachePolicy())
b.add_node("by_key", by_key, cache_policy=CachePolicy(key_func=lambda state: str(state["x"] % 2), ttl=600))
b.add_node("never", never)
b.add_edge(START, "by_input")
b.add_edge("by_input", "by_key")
b.add_edge("by_key", "never")
app = b.compile()
