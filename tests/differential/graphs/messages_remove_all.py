"""The remove-all id drops everything before it, left and right."""

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES


def summarise(state: MessagesState):
    count = len(state["messages"])
    return {
        "messages": [
            AIMessage("dropped as well", id="early"),
            RemoveMessage(id=REMOVE_ALL_MESSAGES),
            HumanMessage(f"summary of {count} messages", id="summary"),
        ]
    }


def clear(state: MessagesState):
    return {"messages": RemoveMessage(REMOVE_ALL_MESSAGES)}


workflow = StateGraph(MessagesState)
workflow.add_node(summarise)
workflow.add_node(clear)
workflow.add_edge(START, "summarise")
workflow.add_edge("summarise", "clear")
app = workflow.compile()
