"""config reaches nodes, branches and subgraphs: configurable entries, tags, metadata, recursion limit."""

from operator import add
from typing import Annotated, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


def show(state: State, config: RunnableConfig):
    configurable = config["configurable"]
    return {"log": [configurable["thread_id"], configurable.get("model", "default"), config["recursion_limit"], config["metadata"].get("team")]}


def route(state: State, config: RunnableConfig):
    return "inner" if config["configurable"].get("deep") else "__end__"


inner = StateGraph(State)
inner.add_node("show_inner", show)
inner.add_edge(START, "show_inner")
g = StateGraph(State)
g.add_node("show", show)
g.add_node("inner", inner.compile())
g.add_edge(START, "show")
g.add_conditional_edges("show", route)
app = g.compile()
