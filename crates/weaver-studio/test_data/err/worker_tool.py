import requests
from bs4 import BeautifulSoup as Soup
from langchain_core.tools import tool
from langgraph.graph import StateGraph, MessagesState, START, END
from langgraph.prebuilt import ToolNode


@tool
def fetch(url: str) -> str:
    """Fetch a page."""
    return Soup(requests.get(url).text).text


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


g = StateGraph(MessagesState)
g.add_node("tools", ToolNode([fetch, add]))
g.add_edge(START, "tools")
g.add_edge("tools", END)
app = g.compile()
