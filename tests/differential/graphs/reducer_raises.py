"""A reducer that raises fails the step; nothing of the step is kept."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


def strict(old: int, new: int) -> int:
    if new < 0:
        raise ValueError(f"negative amount {new}")
    return old + new


class State(TypedDict):
    amount: Annotated[int, strict]


def pay(state: State):
    return {"amount": 5 - state["amount"]}


app = StateGraph(State).add_node("pay", pay).add_edge(START, "pay").compile()
