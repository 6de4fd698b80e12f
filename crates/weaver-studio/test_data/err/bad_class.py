from typing import TypedDict
from langgraph.graph import StateGraph, START, END


class State(TypedDict):
    a: int
    b: list[str
    c: str


def f(state: State):
    return {"a": 1}


g = StateGraph(State)
g.add_node("f", f)
g.add_edge(START, "f")
g.add_edge("f", END)
app = g.compile()
