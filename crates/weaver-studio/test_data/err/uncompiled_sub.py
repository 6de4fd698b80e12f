from langgraph.graph import StateGraph, MessagesState, START, END


def f(state):
    return {"messages": []}


sub = StateGraph(MessagesState)
sub.add_node("f", f)
sub.add_edge(START, "f")

g = StateGraph(MessagesState)
g.add_node("sub", sub)
g.add_node("start", f)
g.add_node("__end__", f)
g.add_node("", f)
g.add_edge(START, "sub")
g.add_edge("sub", "start")
app = g.compile()
