"""update_state on messages: append, edit by id, remove; and forks of a conversation."""

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph


def reply(state: MessagesState):
    last = state["messages"][-1]
    return {"messages": [AIMessage(f"you said {last.content}", id=f"r{len(state['messages'])}")]}


app = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply").compile()
