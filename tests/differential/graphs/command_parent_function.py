"""Command.PARENT raised in a subgraph that a function invoked leaves through that function's node."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command


class State(TypedDict):
    log: Annotated[list, add]


inner = StateGraph(State)
inner.add_node("leave", lambda s: Command(graph=Command.PARENT, goto="there", update={"log": ["left"]}))
inner.add_edge(START, "leave")
sub = inner.compile()


def caller(state: State):
    sub.invoke({"log": []})
    return {"log": ["never reached"]}


outer = StateGraph(State)
outer.add_node("caller", caller)
outer.add_node("there", lambda s: {"log": ["there"]})
outer.add_edge(START, "caller")
app = outer.compile()
