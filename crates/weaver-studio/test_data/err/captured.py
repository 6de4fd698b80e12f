from langgraph.graph import StateGraph, MessagesState, START, END


def build(llm):
    def call(state: MessagesState):
        return {"messages": [llm.invoke(state["messages"])]}

    def inner_graph(state: MessagesState):
        sub = build(llm)
        return sub.invoke(state)

    g = StateGraph(MessagesState)
    g.add_node("call", call)
    g.add_node("inner", inner_graph)
    g.add_edge(START, "call")
    g.add_edge("call", "inner")
    g.add_edge("inner", END)
    return g.compile()
