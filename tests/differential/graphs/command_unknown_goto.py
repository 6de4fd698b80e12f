"""A goto to a node that does not exist writes nothing anywhere: the run ends there."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command


class State(TypedDict):
    x: int


app = (
    StateGraph(State)
    .add_node("lost", lambda state: Command(update={"x": state["x"] + 1}, goto="nowhere"))
    .add_edge(START, "lost")
    .compile()
)
