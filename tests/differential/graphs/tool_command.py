"""Tools that read the state and return Commands."""

from operator import add
from typing import Annotated

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Command


class Shop(MessagesState):
    basket: Annotated[list, add]
    owner: str


@tool
def put(item: str, state: Annotated[dict, InjectedState], call_id: Annotated[str, InjectedToolCallId]) -> Command:
    """Puts an item into the basket."""
    text = f"{state['owner']} now has {len(state['basket']) + 1}"
    return Command(update={"basket": [item], "messages": [ToolMessage(text, tool_call_id=call_id)]})


@tool
def whose(owner: Annotated[str, InjectedState("owner")]) -> str:
    """Whose basket is it?"""
    return owner


def plan(state: Shop):
    calls = [{"name": "put", "args": {"item": "tea"}, "id": "p1"}, {"name": "whose", "args": {}, "id": "w1"}]
    return {"messages": [AIMessage("", tool_calls=calls, id="plan")]}


g = StateGraph(Shop)
g.add_node("plan", plan)
g.add_node("tools", ToolNode([put, whose]))
g.add_edge(START, "plan")
g.add_edge("plan", "tools")
app = g.compile()
