from langchain_community.tools import WikipediaQueryRun
from langgraph.graph import StateGraph, MessagesState, START
from langgraph.prebuilt import ToolNode

search = WikipediaQueryRun()

g = StateGraph(MessagesState)
g.add_node("tools", ToolNode([search]))
g.add_edge(START, "tools")
app = g.compile()
