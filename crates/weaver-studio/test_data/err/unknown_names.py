from typing import TypedDict
from langgraph.graph import StateGraph, START, END


class State(TypedDict):
    answer: str
    score: int


def search(state: State):
    return {"anwser": "x"}


def route(state: State):
    return "serach"


g = StateGraph(State)
g.add_node("search", search)
g.add_node("lonely", search)
g.add_node("bad|name", search)
g.add_node("search", search)
g.add_edge(START, "search")
g.add_edge(START, "search")
g.add_edge("search", "answr")
g.add_edge(END, "search")
g.add_edge("search", START)
g.add_conditional_edges("search", route)
g.add_conditional_edges("search", route, {"a": "nowhere"})
app = g.compile(interrupt_before=["serch"])
