"""A remembering subgraph that interrupts: the answer lands in its own history."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class Parent(TypedDict):
    say: str


class Child(TypedDict):
    say: str
    memory: Annotated[list, add]


def ask(state: Child):
    answer = interrupt(f"memory so far: {state['memory']}")
    return {"memory": [state["say"], answer]}


child = StateGraph(Child).add_node(ask).add_edge(START, "ask").compile(checkpointer=True)
app = StateGraph(Parent).add_node("child", child).add_edge(START, "child").compile()
