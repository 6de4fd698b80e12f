from langgraph.graph import StateGraph, MessagesState, START

def f(state):
	return {"messages": [}

g = StateGraph(MessagesState)
g.add_node("f", f)
g.add_edge(START, "f"
