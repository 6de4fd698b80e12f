"""Command: update and goto; an edge and a goto of the same node both fire."""

from operator import add
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command


class State(TypedDict):
    n: int
    trail: Annotated[list, add]


def router(state: State) -> Command[Literal["small", "large"]]:
    target = "small" if state["n"] < 10 else "large"
    return Command(goto=target, update={"trail": ["router"], "n": state["n"] + 1, "unknown": "dropped"})


def small(state: State) -> Command[Literal["large", "__end__"]]:
    if state["n"] % 2:
        return Command(goto=END, update=[("trail", ["small odd"]), ("trail", ["twice"])])
    return Command(goto=["large", "side"], update={"trail": ["small even"]})


def large(state: State):
    return {"trail": ["large"]}


def side(state: State):
    return Command(update={"trail": ["side"]})


def after(state: State):
    return {"trail": ["after"]}


g = StateGraph(State)
g.add_node(router)
g.add_node(small)
g.add_node(large)
g.add_node(side)
g.add_node(after)
g.add_edge(START, "router")
g.add_edge("router", "after")
app = g.compile()
