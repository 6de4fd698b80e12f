import langgraph.graph as g
from typing import TypedDict

class S(TypedDict):
    日本: str

def f(s: S):
    return {"日本": "値"}

b = g.StateGraph(S)
b.add_node("ノード", f)
b.add_edge(g.START, "ノード")
b.add_edge("ノード", g.END)
a = b.compile()
