import operator
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    seen: Annotated[list, operator.add]


class Step:
    def __init__(self, name):
        self.name = name

    def __call__(self, state):
        return {"seen": [self.name]}


a = Step("a")
b = Step("b")
c = Step("c")
d = Step("d")
builder = StateGraph(State)
builder.add_node("a", a)
builder.add_node("b", b)
builder.add_node("b2", b)
builder.add_node("c", c)
builder.add_node("d", d)
builder.add_edge(START, "a")
builder.add_edge("a", "b")
builder.add_edge("a", "c")
builder.add_edge("b", "b2")
builder.add_edge(["b2", "c"], "d")
builder.add_edge("d", END)
graph = builder.compile()
