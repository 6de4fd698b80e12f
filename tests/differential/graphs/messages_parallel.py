"""Parallel nodes append messages in task order; the field may have any name and other keys beside it."""

from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages


class Chat(TypedDict):
    history: Annotated[list[AnyMessage], add_messages]
    turns: int


def ask(state: Chat):
    calls = [
        {"name": "weather", "args": {"city": "Rome"}, "id": "call-1"},
        {"name": "clock", "args": {}, "id": "call-2"},
    ]
    return {"history": [AIMessage("", id="ask", tool_calls=calls)], "turns": 1}


def weather(state: Chat):
    call = state["history"][-1].tool_calls[0]
    return {"history": [ToolMessage(f"sunny in {call['args']['city']}", tool_call_id=call["id"], name="weather")]}


def clock(state: Chat):
    call = state["history"][-1].tool_calls[1]
    return {"history": [ToolMessage("no clock here", tool_call_id=call["id"], status="error")]}


def answer(state: Chat):
    texts = [message.content for message in state["history"] if isinstance(message, ToolMessage)]
    return {"history": [AIMessage("; ".join(texts))], "turns": state["turns"] + 1}


builder = StateGraph(Chat)
for step in (ask, weather, clock, answer):
    builder.add_node(step)
builder.add_edge(START, "ask")
builder.add_edge("ask", "weather")
builder.add_edge("ask", "clock")
builder.add_edge(["weather", "clock"], "answer")
app = builder.compile()
