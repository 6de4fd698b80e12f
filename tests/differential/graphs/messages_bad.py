"""What is no message is an error."""

from langgraph.graph import START, MessagesState, StateGraph

app = StateGraph(MessagesState).add_node("bad", lambda s: {"messages": [{"no": "role"}]}).add_edge(START, "bad").compile()
