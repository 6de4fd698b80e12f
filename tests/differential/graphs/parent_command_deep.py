"""Command.PARENT from a subgraph two levels down, with update and goto for the parent, and Sends."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send


class State(TypedDict):
    log: Annotated[list, add]
    way: str


def leaf(state: State):
    if state["way"] == "send":
        return Command(graph=Command.PARENT, goto=[Send("mid_other", {"log": ["sent"], "way": "x"}), Send("mid_other", {"log": [], "way": "y"})], update={"log": ["leaf sends"]})
    if state["way"] == "list":
        return Command(graph=Command.PARENT, goto=["mid_other", "mid_end"], update=[("log", ["leaf lists"])])
    return Command(graph=Command.PARENT, goto="mid_other", update={"log": ["leaf"], "way": "changed"})


inner = StateGraph(State).add_node("before", lambda s: {"log": ["before leaf"]}).add_node("leaf", leaf).add_edge(START, "before").add_edge("before", "leaf").compile()


def mid_other(state: State):
    return {"log": [f"mid_other sees {state.get('way')} {len(state['log'])}"]}


def mid_end(state: State) -> Command:
    return Command(graph=Command.PARENT, goto="finish", update={"log": ["mid_end to top"]})


mid = StateGraph(State)
mid.add_node("inner", inner)
mid.add_node(mid_other)
mid.add_node(mid_end)
mid.add_edge(START, "inner")
mid.add_edge("mid_other", "mid_end")

top = StateGraph(State)
top.add_node("mid", mid.compile())
top.add_node("finish", lambda s: {"log": ["finish"]})
top.add_node("plain", lambda s: {"log": ["plain"]})
top.add_edge(START, "mid")
top.add_edge("mid", "plain")
app = top.compile()
