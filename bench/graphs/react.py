"""Bench shape: a ReAct loop of TURNS tool calls with a model that is only pretended."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

TURNS = 100


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


def model(state: MessagesState):
    turn = (len(state["messages"]) - 1) // 2
    if turn >= TURNS:
        return {"messages": [AIMessage("done", id="done")]}
    call = {"name": "double", "args": {"number": turn}, "id": f"call-{turn}"}
    return {"messages": [AIMessage("", tool_calls=[call], id=f"ai-{turn}")]}


graph = StateGraph(MessagesState)
graph.add_node("model", model)
graph.add_node("tools", ToolNode([double]))
graph.add_edge(START, "model")
graph.add_conditional_edges("model", tools_condition)
graph.add_edge("tools", "model")
app = graph.compile()
