"""A known id replaces in place, RemoveMessage deletes, a later message cancels the removal."""

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph


def replace(state: MessagesState):
    return {"messages": [AIMessage("second, edited", id="2"), AIMessage("fourth", id="4")]}


def remove(state: MessagesState):
    return {"messages": [RemoveMessage(id="1"), RemoveMessage(id="3")]}


def cancel(state: MessagesState):
    return {"messages": [RemoveMessage(id="4"), AIMessage("fourth is back", id="4"), HumanMessage("fifth", id="5")]}


def twice(state: MessagesState):
    return {"messages": [AIMessage("same id", id="6"), AIMessage("same id, later", id="6")]}


builder = StateGraph(MessagesState)
builder.add_node("replace", replace)
builder.add_node("remove", remove)
builder.add_node("cancel", cancel)
builder.add_node("twice", twice)
builder.set_entry_point("replace")
builder.add_edge("replace", "remove")
builder.add_edge("remove", "cancel")
builder.add_edge("cancel", "twice")
builder.set_finish_point("twice")
app = builder.compile()
