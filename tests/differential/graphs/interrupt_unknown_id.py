"""A resume map with an id that nobody waits for, and a dict that only looks like a map."""

from typing import Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    answer: Any


app = StateGraph(State).add_node("ask", lambda s: {"answer": interrupt("?")}).add_edge(START, "ask").compile()
