"""Messages that nodes remove, replace and add in one step and over several."""

from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages


class State(MessagesState):
    notes: Annotated[list[AnyMessage], add_messages]


def one(state: State):
    return {"messages": [AIMessage("a1", id="a1"), HumanMessage("h2", id="h2")], "notes": ("user", "note one")}


def two(state: State):
    return {"messages": [RemoveMessage(id=m.id) for m in state["messages"][:1]] + [AIMessage("a1 again", id="a1")], "notes": {"role": "assistant", "content": "note two"}}


def three(state: State):
    return {"messages": [RemoveMessage(id="a1"), AIMessage("a1 back", id="a1"), SystemMessage("sys", id="s")], "notes": [m.content for m in state["notes"]]}


def four(state: State):
    return {"messages": [ToolMessage("t", tool_call_id="c1", id="t1"), AIMessage("", id="a5", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "c1"}])], "notes": [RemoveMessage(id=REMOVE_ALL_MESSAGES), HumanMessage("only", id="only")]}


def five(state: State):
    return {"messages": [RemoveMessage(id="a5"), RemoveMessage(id="t1")], "notes": []}


app = StateGraph(State).add_sequence([one, two, three, four, five]).add_edge(START, "one").compile()
