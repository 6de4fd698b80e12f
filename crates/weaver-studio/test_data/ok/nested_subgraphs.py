from typing import Annotated, TypedDict
import operator
from langgraph.graph import StateGraph, START, END


class Inner(TypedDict):
    log: Annotated[list[str], operator.add]


class Outer(TypedDict):
    log: Annotated[list[str], operator.add]
    other: str


def leaf(state: Inner):
    return {"log": ["leaf"]}


inner = StateGraph(Inner)
inner.add_node("leaf", leaf)
inner.add_edge(START, "leaf")
inner.add_edge("leaf", END)

middle = StateGraph(Inner)
middle.add_node("inner", inner.compile(checkpointer=False))
middle.add_edge(START, "inner")
middle.add_edge("inner", END)
middle_app = middle.compile(name="middle")


def call_inside(state: Outer):
    result = middle_app.invoke({"log": []})
    return {"other": result["log"][0]}


outer = StateGraph(Outer)
outer.add_node("sub", middle_app)
outer.add_node(call_inside)
outer.add_edge(START, "sub")
outer.add_edge("sub", "call_inside")
outer.add_edge("call_inside", END)
app = outer.compile()
