"""A tool that asks a person, beside one that does not; the node starts again on resume."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt


@tool
def book(hotel: str) -> str:
    """Books a hotel when a person agrees."""
    answer = interrupt({"book": hotel})
    return f"{hotel}: {answer}"


@tool
def price(hotel: str) -> str:
    """Price of a hotel."""
    return f"{hotel} costs {len(hotel) * 10}"


def plan(state: MessagesState):
    calls = [
        {"name": "price", "args": {"hotel": "Ritz"}, "id": "c1"},
        {"name": "book", "args": {"hotel": "Ritz"}, "id": "c2"},
    ]
    return {"messages": [AIMessage("", tool_calls=calls, id="plan")]}


g = StateGraph(MessagesState)
g.add_node("plan", plan)
g.add_node("tools", ToolNode([book, price]))
g.add_edge(START, "plan")
g.add_edge("plan", "tools")
app = g.compile()
