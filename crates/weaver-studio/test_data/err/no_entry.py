from langgraph.graph import StateGraph, MessagesState

def a(state):
    return {}

g = StateGraph(MessagesState)
g.add_node(a)
g.add_node("b", a)
g.add_edge("a", "b")
