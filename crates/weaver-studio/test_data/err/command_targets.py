from typing import Literal, TypedDict
from langgraph.graph import StateGraph, START
from langgraph.types import Command, Send


class State(TypedDict):
    a: int


def one(state: State) -> Command[Literal["two", "three"]]:
    return Command(goto="two", update={"a": 1, "zz": 2})


def two(state: State):
    return Command(goto=[Send("four", {"a": 1}), "one"])


def parent(state: State):
    return Command(goto="elsewhere", graph=Command.PARENT)


g = StateGraph(State)
g.add_node(one)
g.add_node(two)
g.add_node(parent, destinations=("two", "nope"))
g.add_edge(START, "one")
g.add_edge("two", "parent")
app = g.compile()
