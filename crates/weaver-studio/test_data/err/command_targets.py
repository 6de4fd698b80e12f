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
    return Command(goto="elsewhere", update={"theirs": 1}, graph=Command.PARENT)


def parent_sends(state: State):
    return Command(graph=Command.PARENT, goto=[Send("worker", {"b": 1}), "last"])


def parent_collects(state: State):
    targets = [Send("worker", {"b": n}) for n in range(3)]
    return Command(graph=Command.PARENT, goto=targets)


def route(state: State):
    return "nowhere"


async def patient(state: State):
    return {"a": 1}


g = StateGraph(State)
g.add_node(one)
g.add_node(two)
g.add_node(parent, destinations=("two", "nope"))
g.add_node(parent_sends)
g.add_node(parent_collects)
g.add_node("a", patient, timeout=1.0)  # named like a key of the state
g.add_node("hasty", lambda state: {"a": 1}, timeout=1.0)
g.add_conditional_edges("a", route)
g.add_edge("a", "hasty")
g.add_edge("two", "parent_sends")
g.add_edge("two", "parent_collects")
g.add_edge(START, "a")
g.add_edge(START, "one")
g.add_edge("two", "parent")
app = g.compile()
