"""Bench shape: one turn of a chat; 200 turns on one thread, 450 bytes each way, make 180 kB."""

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph

REPLY_BYTES = 450


def reply(state: MessagesState):
    turn = len(state["messages"])
    return {"messages": [AIMessage(f"reply {turn} ".ljust(REPLY_BYTES, "."))]}


graph = StateGraph(MessagesState)
graph.add_node("reply", reply)
graph.add_edge(START, "reply")
graph.add_edge("reply", END)
app = graph.compile()
