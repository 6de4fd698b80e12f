"""A run without context, and one whose context does not fit its schema."""

from dataclasses import dataclass
from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime


@dataclass
class Context:
    user: str


class State(TypedDict):
    out: str


def look(state: State, runtime: Runtime[Context]):
    return {"out": "no context" if runtime.context is None else runtime.context.user}


app = StateGraph(State, context_schema=Context).add_node(look).add_edge(START, "look").compile()
