"""What ToolNode does with a failing tool: an answer, a failure, or only wrong arguments answered."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode


@tool
def divide(a: int, b: int) -> float:
    """Divides a by b."""
    return a / b


def ask(state: MessagesState):
    args = {"zero": {"a": 1, "b": 0}, "missing": {"a": 1}, "wrong": {"a": "x", "b": 2}}
    kind = state["messages"][-1].content.split()[-1]
    return {"messages": [AIMessage("", tool_calls=[{"name": "divide", "args": args[kind], "id": "c"}], id="a")]}


def route(state: MessagesState):
    return state["messages"][-2].content.split()[0]


g = StateGraph(MessagesState)
g.add_node("ask", ask)
g.add_node("default", ToolNode([divide]))
g.add_node("answers", ToolNode([divide], handle_tool_errors=True))
g.add_node("says", ToolNode([divide], handle_tool_errors="that did not work"))
g.add_node("fails", ToolNode([divide], handle_tool_errors=False))
g.add_edge(START, "ask")
g.add_conditional_edges("ask", route, ["default", "answers", "says", "fails"])
app = g.compile()
