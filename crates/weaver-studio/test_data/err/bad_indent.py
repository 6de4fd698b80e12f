from langgraph.graph import StateGraph, MessagesState, START, END

class Flow:
    def build(self):
        g = StateGraph(MessagesState)
         g.add_node("x", self.x)
        g.add_node("a", self.a)
        g.add_edge(START, "a")
        return g.compile()

    def a(self, state):
        return {"messages": [)]}

    def x(self, state):
        return {}

flow = Flow()
app = flow.build()
