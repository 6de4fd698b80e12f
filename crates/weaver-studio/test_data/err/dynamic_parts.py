import os
from typing import TypedDict
from langchain_openai import ChatOpenAI
from langgraph.graph import StateGraph, START, END
from langgraph.prebuilt import create_react_agent
from mypackage import my_node, MyState


class State(TypedDict):
    a: int


def f(state: State):
    return {"a": 1}


g = StateGraph(State)
g.add_node(os.environ["NAME"], f)
g.add_node("model", ChatOpenAI())
g.add_node("agent", create_react_agent(ChatOpenAI(), []))
g.add_node("imported", my_node)
g.add_node("missing", not_defined)
g.add_edge(START, pick())
g.add_conditional_edges("model", choose)
g.add_node("alone")
g.add_edge("model")
g.add_edge("model", END)
app = g.compile()

h = StateGraph(MyState)
h.add_node("f", f)
h.add_edge(START, "f")
