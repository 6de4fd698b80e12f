from typing import TypedDict
from langgraph.graph import StateGraph, START, END


class State(TypedDict):
    a: int


def one(state: State):
    x = (1 +
    return {"a": x}


def two(state: State):
    return {"a": 2}


graph = StateGraph(State)
graph.add_node("one", one
graph.add_node("two", two)
graph.add_edge(START, "one")
graph.add_edge("one", "two")
graph.add_edge("two", END)
app = graph.compile()
