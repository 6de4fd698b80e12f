"""An ephemeral value is guarded: two writes in one step are an error."""

from typing import Annotated, TypedDict

from langgraph.channels import EphemeralValue
from langgraph.graph import START, StateGraph


class State(TypedDict):
    signal: Annotated[str, EphemeralValue(str)]
    out: str


g = StateGraph(State)
g.add_node("p", lambda s: {"signal": "p"})
g.add_node("q", lambda s: {"signal": "q"})
g.add_edge(START, "p")
g.add_edge(START, "q")
app = g.compile()
