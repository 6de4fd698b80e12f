from langgraph.graph import StateGraph, MessagesState, START, END

def a(state):
    return {"messages": []}

g = StateGraph(MessagesState)
g.add_node("a", a)
g.add_edge(START, "a")
g.add_edge("a", "
g.add_node("b", lambda s: 
g.
app = g.compile(
