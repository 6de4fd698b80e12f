"""The messages stream: message objects written to state, in lists and alone, each once."""

from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    last: AnyMessage
    count: int


def one(state: State):
    return {"messages": AIMessage("single", id="s"), "count": 1}


def several(state: State):
    return {"messages": [AIMessage("x", id="x"), HumanMessage("h", id="h"), AIMessage("single, edited", id="s")]}


def elsewhere(state: State):
    return {"last": AIMessage("kept in another key", id="l")}


def repeat(state: State):
    return {"messages": state["messages"]}


child = StateGraph(State).add_node("several", several).add_edge(START, "several").compile()
g = StateGraph(State)
g.add_node(one)
g.add_node("child", child)
g.add_node(elsewhere)
g.add_node(repeat)
g.add_edge(START, "one")
g.add_edge("one", "child")
g.add_edge("child", "elsewhere")
g.add_edge("elsewhere", "repeat")
app = g.compile()
