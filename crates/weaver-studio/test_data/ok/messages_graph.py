from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langchain_google_genai import ChatGoogleGenerativeAI
from langgraph.prebuilt import InjectedState
from langchain_core.tools import InjectedToolCallId, tool
from typing import Annotated


@tool(description="Look a name up")
def lookup(
    name: Annotated[str, "the name"],
    state: Annotated[dict, InjectedState],
    call_id: Annotated[str, InjectedToolCallId],
    depth: Annotated[int, "how deep"] = 1,
) -> str:
    return name


def plain_tool(x: int) -> int:
    """Double."""
    return 2 * x


llm = ChatGoogleGenerativeAI(model="gemini-2.0-flash").bind_tools([lookup, plain_tool])


def chatbot(state: MessagesState):
    return {"messages": [llm.invoke(state["messages"])]}


g = StateGraph(MessagesState)
g.add_node("chatbot", chatbot)
g.add_node("tools", ToolNode(tools=[lookup, plain_tool]))
g.add_conditional_edges("chatbot", tools_condition, {"tools": "tools", "__end__": "__end__"})
g.add_edge("tools", "chatbot")
g.set_entry_point("chatbot")
app = g.compile()
