"""An agent that calls tools, written the way LangGraph's quick start does."""
import json
from typing import Annotated, Literal

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

llm = ChatOpenAI(model="gpt-4o", temperature=0)


@tool
def multiply(a: int, b: int) -> int:
    """Multiply a and b.

    Args:
        a: first int
        b: second int
    """
    return a * b


@tool(parse_docstring=True)
def search(query: str, limit: int = 5) -> str:
    """Search the web.

    Args:
        query: what to look for
        limit: most results
    """
    return json.dumps({"query": query, "limit": limit})


tools = [multiply, search]
tools_by_name = {t.name: t for t in tools}
llm_with_tools = llm.bind_tools(tools)
SYSTEM = "You are a helpful assistant."


def assistant(state: MessagesState):
    return {"messages": [llm_with_tools.invoke([SystemMessage(content=SYSTEM)] + state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("assistant", assistant)
builder.add_node("tools", ToolNode(tools))
builder.add_edge(START, "assistant")
builder.add_conditional_edges("assistant", tools_condition)
builder.add_edge("tools", "assistant")
react_graph = builder.compile()

if __name__ == "__main__":
    for chunk in react_graph.stream({"messages": [HumanMessage(content="3 times 4?")]}):
        print(chunk)
