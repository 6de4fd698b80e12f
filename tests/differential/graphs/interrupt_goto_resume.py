"""Resume, update and goto in one Command; goto away from a waiting node."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class State(TypedDict):
    log: Annotated[list, add]


g = StateGraph(State)
g.add_node("ask", lambda s: {"log": [f"ask {interrupt('?')}"]})
g.add_node("other", lambda s: {"log": ["other"]})
g.add_node("next", lambda s: {"log": ["next"]})
g.add_edge(START, "ask")
g.add_edge("ask", "next")
app = g.compile()
