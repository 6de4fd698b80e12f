"""Calls of tools as tasks of their own: one with the state beside it, and a list of them."""

from typing import Annotated

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Send, interrupt


class State(MessagesState):
    budget: int


@tool
def book(hotel: str, budget: Annotated[int, InjectedState("budget")]) -> str:
    """Books a hotel when a person agrees."""
    answer = interrupt({"book": hotel, "of": budget})
    return f"{hotel}: {answer}"


@tool
def price(hotel: str) -> str:
    """Price of a hotel."""
    return f"{hotel} costs {len(hotel) * 10}"


def plan(state: State):
    calls = [
        {"name": "price", "args": {"hotel": "Ritz"}, "id": "c1"},
        {"name": "book", "args": {"hotel": "Ritz"}, "id": "c2"},
        {"name": "book", "args": {"hotel": "Savoy"}, "id": "c3"},
        {"name": "price", "args": {"hotel": "Savoy"}, "id": "c4"},
        {"name": "rent", "args": {}, "id": "c5"},
    ]
    return {"messages": [AIMessage("", tool_calls=calls, id="plan")]}


def each(state: State):
    first, second, third, *rest = state["messages"][-1].tool_calls
    one = [
        Send("tools", {"__type": "tool_call_with_context", "tool_call": call, "state": state})
        for call in (first, second, third)
    ]
    return [*one, Send("tools", rest)]


g = StateGraph(State)
g.add_node("plan", plan)
g.add_node("tools", ToolNode([book, price]))
g.add_edge(START, "plan")
g.add_conditional_edges("plan", each, ["tools"])
app = g.compile()
