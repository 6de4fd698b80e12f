"""Removing a message that is not there is an error."""

from langchain_core.messages import RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph

app = (
    StateGraph(MessagesState)
    .add_node("forget", lambda state: {"messages": [RemoveMessage(id="nobody")]})
    .add_edge(START, "forget")
    .compile()
)
