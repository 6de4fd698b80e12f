"""update_state as a subgraph's node, and of the waiting task's own writes."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


child = StateGraph(State)
child.add_node("ask", lambda s: {"log": [interrupt("?")]})
child.add_edge(START, "ask")

parent = StateGraph(State)
parent.add_node("child", child.compile())
parent.add_node("last", lambda s: {"log": ["last"]})
parent.add_edge(START, "child")
parent.add_edge("child", "last")
app = parent.compile()
