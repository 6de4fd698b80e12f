from typing import Annotated
from langchain_core.tools import StructuredTool, tool
from langchain.chat_models import init_chat_model
from langgraph.graph import MessagesState, StateGraph, START
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel, Field

class Two(BaseModel):
    a: int = Field(description="first")
    b: int

def mul(a: int, b: int) -> int:
    """Multiplies."""
    return a * b

async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b

times = StructuredTool.from_function(func=mul, name="times", description="Multiplies two numbers", args_schema=Two)
plus = StructuredTool.from_function(coroutine=add)
tools = [times, plus]
model = init_chat_model("openai:gpt-4o-mini").bind_tools(tools)

def agent(state: MessagesState):
    return {"messages": [model.invoke(state["messages"])]}

g = StateGraph(MessagesState)
g.add_node("agent", agent)
g.add_node("tools", ToolNode(tools))
g.add_edge(START, "agent")
g.add_conditional_edges("agent", tools_condition)
g.add_edge("tools", "agent")
app = g.compile()
