"""A node fails; its finished siblings' writes are kept and only the failed one runs again."""

from operator import add
from typing import Annotated, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


def attempt_of(config: RunnableConfig) -> int:
    return config["configurable"].get("attempt", 1)


def done_a(state: State, config: RunnableConfig):
    return {"log": [f"done_a in attempt {attempt_of(config)}"]}


def done_b(state: State, config: RunnableConfig):
    return {"log": [f"done_b in attempt {attempt_of(config)}"]}


def z_fails(state: State, config: RunnableConfig):
    attempt = attempt_of(config)
    if attempt < 3:
        raise ValueError(f"attempt {attempt} fails")
    return {"log": [f"z_fails in attempt {attempt}"]}


def after(state: State):
    return {"log": ["after"]}


g = StateGraph(State)
for node in (done_a, done_b, z_fails, after):
    g.add_node(node)
g.add_edge(START, "done_a")
g.add_edge(START, "done_b")
g.add_edge(START, "z_fails")
g.add_edge(["done_a", "done_b", "z_fails"], "after")
app = g.compile()
