"""add_messages takes strings, pairs, dicts and message objects, single or in lists."""

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, MessagesState, StateGraph


def greet(state: MessagesState):
    return {"messages": AIMessage("hello", name="greeter")}


def tell(state: MessagesState):
    return {"messages": [("user", "a pair"), {"role": "assistant", "content": "a dict"}, "a string"]}


def more(state: MessagesState):
    return {"messages": [SystemMessage("be brief", id="sys"), HumanMessage(content=[{"type": "text", "text": "blocks"}])]}


graph = StateGraph(MessagesState)
graph.add_sequence([greet, tell, more])
graph.add_edge(START, "greet")
graph.add_edge("more", END)
app = graph.compile()
