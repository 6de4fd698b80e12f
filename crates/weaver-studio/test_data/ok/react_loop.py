from typing import Annotated, Sequence, TypedDict

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from langgraph.graph import END, StateGraph
from langgraph.graph.message import add_messages


class AgentState(TypedDict):
    messages: Annotated[Sequence[BaseMessage], add_messages]


@tool("weather", return_direct=True)
def get_weather(location: str, unit: str = "c"):
    """Call to get the weather."""
    return "sunny"


tools = [get_weather]
by_name = {tool.name: tool for tool in tools}
model = ChatOllama(model="llama3.2").bind_tools(tools)


def tool_node(state: AgentState):
    outputs = []
    for call in state["messages"][-1].tool_calls:
        result = by_name[call["name"]].invoke(call["args"])
        outputs.append(ToolMessage(content=str(result), name=call["name"], tool_call_id=call["id"]))
    return {"messages": outputs}


def call_model(state: AgentState, config):
    return {"messages": [model.invoke(state["messages"], config)]}


def should_continue(state: AgentState):
    if not state["messages"][-1].tool_calls:
        return "end"
    else:
        return "continue"


workflow = StateGraph(AgentState)
workflow.add_node("agent", call_model)
workflow.add_node("tools", tool_node)
workflow.set_entry_point("agent")
workflow.add_conditional_edges("agent", should_continue, {"continue": "tools", "end": END})
workflow.add_edge("tools", "agent")
graph = workflow.compile()
