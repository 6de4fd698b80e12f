from langgraph.graph import StateGraph, MessagesState, START, END

TEXT = """never closed

def a(state):
    return {"messages": []}

g = StateGraph(MessagesState)
g.add_node("a", a)
g.add_edge(START, "a")
g.add_edge("a", END)
app = g.compile()
