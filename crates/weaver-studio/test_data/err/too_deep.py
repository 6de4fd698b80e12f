x = (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
from langgraph.graph import StateGraph, MessagesState
g = StateGraph(MessagesState)
