"""A dataclass context that nodes, subgraphs and routing functions see."""

from dataclasses import dataclass
from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime, get_runtime


@dataclass
class Context:
    user: str
    limit: int = 3


class State(TypedDict):
    log: Annotated[list, add]


def hello(state: State, runtime: Runtime[Context]):
    return {"log": [f"hello {runtime.context.user} {runtime.context.limit}"]}


def inner_node(state: State, runtime: Runtime[Context]):
    return {"log": [f"inner {runtime.context.user}"]}


def route(state: State, runtime: Runtime[Context]):
    return "sub" if runtime.context.limit > 1 else END


def by_function(state: State):
    runtime = get_runtime(Context)
    return {"log": [f"by function {runtime.context.user}"]}


sub = StateGraph(State, context_schema=Context).add_node(inner_node).add_edge(START, "inner_node").compile()
g = StateGraph(State, context_schema=Context)
g.add_node(hello)
g.add_node("sub", sub)
g.add_node(by_function)
g.add_edge(START, "hello")
g.add_conditional_edges("hello", route, ["sub", END])
g.add_edge("sub", "by_function")
app = g.compile()
