"""ToolNode and tools_condition: parallel calls, a failing tool, an unknown tool."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@tool
def divide(a: int, b: int) -> float:
    """Divides a by b."""
    return a / b


PLAN = [
    [{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}, {"name": "divide", "args": {"a": 6, "b": 4}, "id": "c2"}],
    [{"name": "multiply", "args": {"a": 1}, "id": "c3"}],
]


def model(state: MessagesState):
    turn = sum(1 for message in state["messages"] if message.type == "ai")
    if turn < len(PLAN):
        return {"messages": [AIMessage("", tool_calls=PLAN[turn], id=f"ai-{turn}")]}
    results = [message.content for message in state["messages"] if message.type == "tool"]
    return {"messages": [AIMessage(f"{len(results)} results, the first {results[0]}", id="ai-last")]}


graph = StateGraph(MessagesState)
graph.add_node("model", model)
graph.add_node("tools", ToolNode([add, divide]))
graph.add_edge(START, "model")
graph.add_conditional_edges("model", tools_condition)
graph.add_edge("tools", "model")
app = graph.compile()
