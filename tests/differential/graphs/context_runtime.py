"""context: per run, coerced to its schema, not saved, reaches subgraphs."""

from dataclasses import dataclass
from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime, get_runtime


@dataclass
class Context:
    user: str
    level: int = 1


class State(TypedDict):
    log: Annotated[list, add]


def greet(state: State, runtime: Runtime[Context]):
    return {"log": [f"hello {runtime.context.user} of level {runtime.context.level}"]}


def inner_greet(state: State, runtime: Runtime[Context]):
    return {"log": [f"inside: {runtime.context.user}"]}


def by_function(state: State):
    return {"log": [f"by function: {get_runtime(Context).context.user}"]}


inner = StateGraph(State, context_schema=Context).add_node("inner_greet", inner_greet).add_edge(START, "inner_greet").compile()
b = StateGraph(State, context_schema=Context)
b.add_node(greet)
b.add_node("inner", inner)
b.add_node(by_function)
b.add_edge(START, "greet")
b.add_edge("greet", "inner")
b.add_edge("inner", "by_function")
app = b.compile()
