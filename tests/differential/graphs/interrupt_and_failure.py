"""An answer that makes the node fail stays the answer of that interrupt."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    value: int


def ask(state: State):
    answer = interrupt("a number, please")
    return {"value": int(10 / answer)}


app = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile()
