"""A graph that is built in a function, with nodes defined inside it."""
from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph

PREFIX = "step"


class State(TypedDict, total=False):
    log: Annotated[list, add]
    n: int


def shared(state: State):
    return {"log": ["shared"]}


def build_graph(limit: int = 3):
    word = PREFIX + "!"

    def first(state: State):
        return {"log": [word], "n": 1}

    async def second(state: State) -> dict:
        return {"log": [f"{PREFIX} two"]}

    builder = StateGraph(State)
    builder.add_node(first)
    builder.add_node("second", second)
    builder.add_node(shared)
    for name in ["a", "b"]:
        builder.add_node(f"worker_{name}", shared)
        builder.add_edge("second", f"worker_{name}")
        builder.add_edge(f"worker_{name}", "shared")
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("shared", END)
    return builder.compile()


app = build_graph()
