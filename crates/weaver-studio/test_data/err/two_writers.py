from typing import TypedDict
from langgraph.graph import StateGraph, START, END

seen = []
count = 0


class State(TypedDict):
    best: str


def left(state: State):
    seen.append(1)
    return {"best": "left"}


def right(state: State):
    global count
    count += 1
    return {"best": "right"}


g = StateGraph(State)
g.add_node(left)
g.add_node(right)
g.add_edge(START, "left")
g.add_edge(START, "right")
g.add_edge("left", END)
app = g.compile()
